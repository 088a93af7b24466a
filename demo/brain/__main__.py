"""`python -m demo.brain --plans FILE.yaml`: proposes the plans of a file, and prints what it is told."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import ParseError

from demo.brain.memory import Plan
from demo.brain.rpc import as_message
from demo.brain.server import Brain, Tls

_LOOK = 0.5


def plans_of(text: str) -> list[Plan]:
    """Reads plans: a YAML document each, or a list; ValueError where one is no plan."""
    found: list[Plan] = []
    for document in yaml.safe_load_all(text):
        found.extend(document if isinstance(document, list) else [document])
    for each in found:
        if not isinstance(each, dict) or not each.get("plan_id"):
            raise ValueError("plan_id: each plan needs one")
        try:
            as_message(each)
        except ParseError as error:
            raise ValueError(f"{each['plan_id']}: {error}") from error
    return found


async def serve(options: argparse.Namespace, plans: list[Plan]) -> None:
    """Serves until cancelled."""
    tls = Tls(certificate=options.tls_cert, key=options.tls_key, client_ca=options.client_ca)
    brain = Brain(token=options.token, tls=tls if options.tls_cert else None, host=options.host)
    await brain.open(port=options.port, rest_port=options.rest_port)
    for plan in plans:
        brain.offer(plan)
    try:
        print(f"gRPC at {brain.host}:{brain.port}, REST at {brain.host}:{brain.rest_port}", flush=True)
        while True:
            await asyncio.sleep(_LOOK)
            memory = brain.memory
            if memory.batches:
                print(f"{memory.names.total()} points so far: {dict(memory.names)}", flush=True)
            memory.batches.clear()
            while memory.acks:
                _tell(memory.acks.popleft())
    finally:
        await brain.close()


def _tell(ack: dict[str, Any]) -> None:
    outcome = "done" if ack.get("success") else "not done"
    print(f"{ack.get('plan_id')}: {outcome}: {ack.get('message', '')} {ack.get('metrics', {})}", flush=True)


def main() -> int:
    """Runs until interrupted; gives 2 where the plans cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m demo.brain", description=__doc__)
    parser.add_argument("--plans", type=Path, help="YAML: plans with the field names of decisions.proto")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="of gRPC; 0: any")
    parser.add_argument("--rest-port", type=int, default=0, help="of REST; 0: any")
    parser.add_argument("--token", default="", help="what bridges have to say")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--client-ca", type=Path)
    options = parser.parse_args()
    if bool(options.tls_cert) != bool(options.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    try:
        plans = plans_of(options.plans.read_text()) if options.plans else []
    except (OSError, ValueError, yaml.YAMLError) as error:
        print(f"--plans: {error}", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(options, plans))
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
