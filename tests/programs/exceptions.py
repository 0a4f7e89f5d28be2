"""An exception raised while another was handled, three frames deep."""


def inner():
    return {}["missing"]


def middle():
    try:
        inner()
    except KeyError as error:
        raise ValueError("no such thing") from error


middle()
