"""`python -m devcluster`: up, down, build, load, status, logs, kubectl."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from devcluster import images, providers
from devcluster.cluster import Cluster, remove
from devcluster.errors import DevclusterError


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
        cluster: providers.AnyCluster = Cluster.api_only(name=given.name, controller_manager=True, say=_say)
    else:
        cluster = providers.open_cluster(given.provider, name=given.name, nodes=given.nodes, say=_say)
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    return 0


def _down(given: argparse.Namespace) -> int:
    remove(given.name)
    return 0


def _build(given: argparse.Namespace) -> int:
    for name in given.image or images.IMAGES:
        print(images.build(_image(name), _say))
    return 0


def _load(given: argparse.Namespace) -> int:
    cluster = _running(given.name)
    for name in given.image or images.IMAGES:
        image = _image(name)
        cluster.load(images.build(image, _say), image=image.reference)
    return 0


def _status(given: argparse.Namespace) -> int:
    cluster = Cluster.find(given.name)
    if cluster is None:
        print(f"cluster {given.name} is not up")
        return 1
    for role in cluster.processes.roles():
        print(f"{role:<20} {'running' if cluster.processes.alive(role) else 'ENDED'}")
    print(f"kubeconfig {cluster.kubeconfig}")
    return 0 if cluster.healthy() else 1


def _logs(given: argparse.Namespace) -> int:
    logs = _running(given.name).processes.logs
    path = logs / f"{given.component}.log"
    if not path.exists():
        raise DevclusterError(
            f"no log of {given.component}; there are {', '.join(sorted(p.stem for p in logs.iterdir()))}"
        )
    sys.stdout.write(path.read_text(errors="replace"))
    return 0


def _kubectl(given: argparse.Namespace) -> int:
    command = [*_running(given.name).kubectl_command, *given.words]
    os.execvp(command[0], command)  # noqa: S606


def _image(name: str) -> images.Image:
    if name not in images.IMAGES:
        raise DevclusterError(f"there is no image {name!r}; there are {', '.join(images.IMAGES)}")
    return images.IMAGES[name]


def _running(name: str) -> Cluster:
    cluster = Cluster.find(name)
    if cluster is None:
        raise DevclusterError(f"cluster {name} is not up; `python -m devcluster up --name {name}` brings it up")
    return cluster


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text)
        made.add_argument("--name", default="demo", help="the cluster's name")
        made.set_defaults(run=run)
        return made

    up = command("up", _up, "bring a cluster up, or find it up")
    up.add_argument("--nodes", type=int, default=1)
    up.add_argument("--api-only", action="store_true", help="the API server without nodes, on loopback")
    up.add_argument("--provider", choices=providers.NAMES, default="auto")
    command("down", _down, "remove a cluster and all that it made")
    for name, run, text in (
        ("build", _build, "build images"),
        ("load", _load, "build images and bring them to the nodes"),
    ):
        command(name, run, text).add_argument("image", nargs="*", help="all of them when none is named")
    command("status", _status, "say what runs")
    command("logs", _logs, "print a component's log").add_argument("component")
    command("kubectl", _kubectl, "run kubectl against it").add_argument("words", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    sys.exit(main())
