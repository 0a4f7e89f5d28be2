"""await outside of any function, twice, and as the last expression."""
import asyncio


async def value(x):
    await asyncio.sleep(0.01)
    return x


print(await value(1))
first, second = await asyncio.gather(value(2), value(3))
await value(first + second)
