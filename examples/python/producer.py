"""A workman producer: runs two tasks at once, schedules a third for tomorrow, and takes that back."""
import asyncio
import datetime
import itertools
import json
import os

import websockets

URL = os.environ.get("WORKMAN_URL", "ws://localhost:9999") + "/websocket"


async def main():
    nonces = itertools.count()
    waiting = {}  # answers come as they are ready: the nonce says whose each is

    async with websockets.connect(URL, max_size=None) as socket:

        async def read():
            async for message in socket:
                answer = json.loads(message)
                waiting.pop(answer["nonce"]).set_result(answer["result"])

        async def ask(**request):
            nonce = next(nonces)
            waiting[nonce] = asyncio.get_running_loop().create_future()
            await socket.send(json.dumps({**request, "nonce": nonce}))
            return await waiting[nonce]

        reader = asyncio.create_task(read())
        total, echo = await asyncio.gather(
            ask(action="RunTask", name="add", options={"a": 2, "b": 3}),
            ask(action="RunTask", name="echo", options="héllo"),
        )
        print("add", total)
        print("echo", echo)

        when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        scheduled = await ask(action="ScheduleTask", when=when.isoformat(), name="echo", options=None)
        unscheduled = await ask(action="UnscheduleTask", id=scheduled["id"])
        print("unscheduled", str(unscheduled["found"]).lower())
        reader.cancel()


asyncio.run(main())
