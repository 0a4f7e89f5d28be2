// What can be had of the sandbox here, tried out: each layer is applied in a throw-away child, which then does what the
// layer forbids and expects to be refused. Needs no Python and no manager; ends by itself.
#pragma once

namespace capsule {

// `capsule-worker --doctor`: one JSON document on standard output, {"v", "took_us", "layers": [{name, state, proof,
// reason, fix}]}. Gives the exit status: 0 when it could be found out.
int run_doctor();

// `capsule-worker --seccomp-table`: the policy by system call number, one JSON object a line.
int print_seccomp_table();

}  // namespace capsule
