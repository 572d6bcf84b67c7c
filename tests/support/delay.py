"""A far kernel on one machine: a proxy that hands everything on some time later."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

CHUNK = 65_536  # bytes handed on at once


@contextmanager
def delayed(address: str, seconds: float) -> Iterator[str]:
    """Put a proxy before a local server, ``seconds`` late each way. Yields its address."""
    port = urlsplit(address).port
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            with suppress(asyncio.CancelledError):  # the proxy ends before its connections
                await asyncio.gather(
                    _hand_on(reader, far_writer, seconds), _hand_on(far_reader, writer, seconds)
                )
        finally:
            writer.close()
            far_writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    async def stop() -> None:
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _hand_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """Write what is read, each piece so much later; a new one may come while others wait."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - loop.time())
            if not piece:
                writer.close()
                return
            writer.write(piece)

    writing = asyncio.create_task(write())
    try:
        while piece := await reader.read(CHUNK):
            pieces.put_nowait((loop.time() + seconds, piece))
    except OSError:
        pass  # the page was closed
    pieces.put_nowait((loop.time() + seconds, b""))
    await writing
