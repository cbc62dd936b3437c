"""The project's own judge server in a process of its own, misbehaving where a question asks it to.

`python -m tests.lmgt_core.judges.openai.serve_with_faults JUDGE`: prints its address. A question that holds
`FAULT=name` gets that fault; `FAULT=name*2` gets it twice, and an answer from the third try on.
"""

import os
import re
import signal
import sys
import threading
import time
from typing import Any

from lmgt_core.judges.openai.serve import JudgeHandler, JudgeServer, ServeConfig, open_server
from lmgt_core.judging.prompt import Prompt

_tries: dict[str, int] = {}
_in_flight = 0
_lock = threading.Lock()


class FaultyHandler(JudgeHandler):
    """Does to a request what its question asks for."""

    def complete(self, request: dict[str, Any], prompt: Prompt) -> None:
        fault = re.search(r"FAULT=(\w+)(?:\*(\d+))?", prompt.user)
        with _lock:
            _tries[prompt.user] = _tries.get(prompt.user, 0) + 1
        if not fault or (fault[2] and _tries[prompt.user] > int(fault[2])):
            return super().complete(request, prompt)
        getattr(self, f"fault_{fault[1]}")(request, prompt)

    def fault_429(self, request: dict[str, Any], prompt: Prompt) -> None:
        self.refuse(429, "slow down", {"Retry-After": "0.01"})

    def fault_500(self, request: dict[str, Any], prompt: Prompt) -> None:
        self.refuse(500, "the server fell over")

    def fault_echo(self, request: dict[str, Any], prompt: Prompt) -> None:
        """A careless server that sends the caller's key back in an error."""
        self.refuse(418, f"who is {self.headers.get('Authorization')}?")

    def fault_says_key(self, request: dict[str, Any], prompt: Prompt) -> None:
        self.say(f"good, says {self.headers.get('Authorization')}\nVerdict: good")

    def fault_slow(self, request: dict[str, Any], prompt: Prompt) -> None:
        time.sleep(20)

    def fault_half(self, request: dict[str, Any], prompt: Prompt) -> None:
        """Fewer bytes than it announced, and the connection is gone."""
        self.head(1000)
        self.wfile.write(b'{"choices": [{"message": {"role": "assist')
        self.close_connection = True

    def fault_closed(self, request: dict[str, Any], prompt: Prompt) -> None:
        self.close_connection = True

    def fault_malformed(self, request: dict[str, Any], prompt: Prompt) -> None:
        body = b'{"choices": [{"message": '
        self.head(len(body))
        self.wfile.write(body)

    def fault_empty(self, request: dict[str, Any], prompt: Prompt) -> None:
        self.answer(200, {"choices": []})

    def fault_shape(self, request: dict[str, Any], prompt: Prompt) -> None:
        self.answer(200, {"choices": {"message": 7}, "usage": [1]})

    def fault_wrong(self, request: dict[str, Any], prompt: Prompt) -> None:
        self.say("maybe")

    def fault_prose(self, request: dict[str, Any], prompt: Prompt) -> None:
        self.say("It helps, so my verdict is: bad")

    def fault_endless(self, request: dict[str, Any], prompt: Prompt) -> None:
        """Bytes as fast as they are read, in an answer without a length."""
        self.head(None)
        try:
            while True:
                self.wfile.write(b"good " * 10_000)
        except OSError:
            self.close_connection = True

    def fault_drip(self, request: dict[str, Any], prompt: Prompt) -> None:
        """An error whose message never ends: a byte now and then, so no single read takes long."""
        self.head(None, status=500)
        try:
            while True:
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            self.close_connection = True

    def fault_count(self, request: dict[str, Any], prompt: Prompt) -> None:
        """Says how many requests were in flight at once."""
        global _in_flight
        with _lock:
            _in_flight += 1
            seen = _in_flight
        time.sleep(0.05)
        with _lock:
            _in_flight -= 1
        self.say(f"{seen} in flight. Verdict: good")

    def fault_strict(self, request: dict[str, Any], prompt: Prompt) -> None:
        """A server that knows neither log-probabilities nor max_tokens."""
        for name in ("logprobs", "max_tokens"):
            if name in request:
                return self.refuse(400, f"Unsupported parameter: '{name}'")
        super().complete(request, prompt)

    def say(self, text: str) -> None:
        """Answers with a text of its own, in ten tokens read and five written."""
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.answer(200, {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 5}})

    def head(self, length: int | None, status: int = 200) -> None:
        """The beginning of an answer by hand."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header(
            "Connection" if length is None else "Content-Length", "close" if length is None else str(length)
        )
        self.end_headers()


def main() -> None:
    """Serves until the process that started it is gone."""
    server: JudgeServer = open_server(ServeConfig(judge=sys.argv[1], port=0))
    server.RequestHandlerClass = FaultyHandler
    print(server.url, flush=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.read()  # ends when the parent's side of the pipe is closed
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
