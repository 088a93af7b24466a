"""`python -m devcluster`: a throwaway real Kubernetes on one machine."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence

from devcluster import images, programs, providers
from devcluster.allocation import names
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.processes import Process
from devcluster.sharing import sweep


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; gives 1 with a sentence on standard error when it fails."""
    given = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = given.run
    try:
        return run(given)
    except DevclusterError as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _up(given: argparse.Namespace) -> int:
    if given.api_only:
        cluster: providers.AnyCluster = Cluster.api_only(
            name=given.name, controller_manager=given.controller_manager, audit=given.audit, say=_say
        )
    else:
        cluster = providers.open_cluster(
            given.provider, name=given.name, nodes=given.nodes, gateway=given.gateway, audit=given.audit, say=_say
        )
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    return 0


def _down(given: argparse.Namespace) -> int:
    sweep()
    for name in list(names()) if given.all else [given.name]:
        providers.remove(name)
    return 0


def _sweep(given: argparse.Namespace) -> int:
    if given.after:
        owner = Process.of(given.after)
        sys.stdin.buffer.read()
        while owner.alive():  # what it held open goes a moment before itself
            time.sleep(0.05)
    sweep()
    return 0


def _build(given: argparse.Namespace) -> int:
    if not given.image:
        programs.kube(_say)
        programs.pause(_say)
    for image in images.named(given.image):
        print(images.build(image, _say))
    return 0


def _load(given: argparse.Namespace) -> int:
    cluster = _there(given.name)
    for image in images.named(given.image):
        cluster.load(images.build(image, _say), image=image.reference)
    return 0


def _status(given: argparse.Namespace) -> int:
    cluster = _local(given.name)
    for role in cluster.processes.roles():
        print(f"{role:<20} {'running' if cluster.processes.alive(role) else 'ENDED'}")
    print(f"kubeconfig           {cluster.kubeconfig}")
    return 0 if cluster.healthy() else 1


def _logs(given: argparse.Namespace) -> int:
    cluster = _local(given.name)
    log = cluster.processes.log(given.component)
    if not log.exists():
        there = ", ".join(sorted(path.stem for path in cluster.processes.logs.glob("*.log")))
        raise DevclusterError(f"no log of {given.component}; there are {there}")
    sys.stdout.write(log.read_text(errors="replace"))
    return 0


def _kubectl(given: argparse.Namespace) -> int:
    command = [*_there(given.name).kubectl_command, *given.words]
    os.execvp(command[0], command)  # noqa: S606


def _kubeconfig(given: argparse.Namespace) -> int:
    sys.stdout.write(_there(given.name).kubeconfig.read_text())
    return 0


def _there(name: str) -> providers.AnyCluster:
    cluster = providers.find(name, _say)
    if cluster is None:
        raise DevclusterError(f"cluster {name} is not up; `python -m devcluster up --name {name}` brings it up")
    return cluster


def _local(name: str) -> Cluster:
    cluster = _there(name)
    if not isinstance(cluster, Cluster):
        raise DevclusterError(f"cluster {name} is kind's; ask kind and docker about it")
    return cluster


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text)
        made.add_argument("--name", default="demo", help="the cluster's name (demo)")
        made.set_defaults(run=run)
        return made

    up = command("up", _up, "bring a cluster up, or find it up")
    up.add_argument("--nodes", type=int, default=1)
    up.add_argument("--gateway", action="store_true", help="with Gateway API and a data plane")
    up.add_argument("--audit", action="store_true", help="with a log of every request (logs audit)")
    up.add_argument("--provider", choices=providers.NAMES, default="auto")
    up.add_argument("--api-only", action="store_true", help="the API server without nodes, on loopback")
    up.add_argument("--controller-manager", action="store_true", help="with --api-only: Deployments and the like")
    down = command("down", _down, "remove a cluster and all that it made")
    down.add_argument("--all", action="store_true", help="every cluster of this machine that was made here")
    swept = command("sweep", _sweep, "remove what killed runs of the tests have left")
    swept.add_argument("--after", type=int, metavar="PID", help="when that process has gone, which holds the input")
    command("build", _build, "build the programs and images").add_argument("image", nargs="*", help=_IMAGES)
    command("load", _load, "build images and bring them to the nodes").add_argument("image", nargs="*", help=_IMAGES)
    command("status", _status, "say what runs")
    command("logs", _logs, "print a component's log").add_argument("component")
    command("kubectl", _kubectl, "run kubectl against it").add_argument("words", nargs=argparse.REMAINDER)
    command("kubeconfig", _kubeconfig, "print its kubeconfig")
    return parser


_IMAGES = f"of {', '.join(images.IMAGES)}; all of them when none is named"

if __name__ == "__main__":
    sys.exit(main())
