"""A workman worker: registers its tasks, takes one at a time, answers it, and comes back when the connection is lost."""
import asyncio
import json
import os

import websockets


async def sleep(options):
    await asyncio.sleep(options["seconds"])
    return options["seconds"]


async def add(options):
    return options["a"] + options["b"]


async def echo(options):
    return options


TASKS = {"add": add, "echo": echo, "sleep": sleep}


async def answer(task):
    if task["name"] not in TASKS:
        return {"error": f"Unknown job {task['name']}"}
    try:
        return await TASKS[task["name"]](task.get("options"))
    except Exception as error:
        return {"error": str(error)}


async def work(socket):
    print("connected", flush=True)
    for name in TASKS:
        await socket.send(json.dumps({"action": "RegisterTask", "name": name}))
    await socket.send(json.dumps({"action": "GetTask"}))
    async for message in socket:
        task = json.loads(message)
        if "nonce" not in task:
            continue
        print("task", task["name"], flush=True)
        result = await answer(task)
        await socket.send(json.dumps({"action": "SendResult", "nonce": task["nonce"], "result": result}))
        await socket.send(json.dumps({"action": "GetTask"}))


async def main():
    url = os.environ.get("WORKMAN_URL", "ws://localhost:9999") + "/worker"
    delay = 0.125
    while True:
        try:
            async with websockets.connect(url, max_size=None) as socket:
                delay = 0.125
                await work(socket)
        except (OSError, asyncio.TimeoutError, websockets.exceptions.WebSocketException) as error:
            print("error", error, flush=True)
        await asyncio.sleep(delay)
        delay = min(delay * 2, 2)


asyncio.run(main())
