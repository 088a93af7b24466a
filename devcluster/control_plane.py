"""etcd, API server, controller manager and scheduler as plain processes."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import yaml

from devcluster.errors import DevclusterError
from devcluster.pki import Pki
from devcluster.processes import Processes

SERVICES = "10.96.0.0/16"
_READY = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """Where the control plane listens and what it is started with.

    `enter` is the command that puts a process into the first node's network; empty on the host's loopback.
    """

    kube: Path
    folder: Path
    processes: Processes
    address: str
    port: int = 6443
    etcd_port: int = 2379
    etcd_peer_port: int = 2380
    enter: tuple[str, ...] = ()
    nodes: bool = True
    controller_manager: bool = True
    audit: bool = False

    @property
    def url(self) -> str:
        """Gives the address of the API server."""
        return f"https://{self.address}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """Gives the administrator's kubeconfig."""
        return self.folder / "admin.conf"

    def prepare(self) -> Pki:
        """Makes certificates and the administrator's kubeconfig."""
        pki = Pki.create(self.folder / "pki")
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
        pki.issue("apiserver", name="kube-apiserver", addresses=["127.0.0.1", "10.96.0.1", self.address, *names])
        pki.issue("admin", name="admin", groups=["system:masters"])
        pki.issue("front-proxy", name="front-proxy")
        self.write_kubeconfig(self.kubeconfig, pki=pki, user="admin")
        return pki

    def start(self) -> None:
        """Starts every component and waits until the API server is ready."""
        self.start_etcd()
        self.start_apiserver()
        self.await_ready()
        if self.controller_manager:
            self._start("controller-manager", *self._controller_manager_flags())
        if self.nodes:
            self._start(
                "scheduler", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1"
            )

    def start_etcd(self) -> None:
        """Starts etcd. Nothing is synced to disk: the cluster is thrown away."""
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.etcd_peer_port}"
        self._start(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=4294967296",
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=5m",
        )

    def start_apiserver(self) -> None:
        """Starts the API server on the port that it always had."""
        pki = self.folder / "pki"
        self._start(
            "apiserver",
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.port}",
            # In a node's network everything may ask; on the host only loopback.
            f"--bind-address={'0.0.0.0' if self.enter else self.address}",  # noqa: S104
            f"--advertise-address={self.address}",
            *(() if self.enter else ("--endpoint-reconciler-type=none",)),
            f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--profiling=false",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            f"--service-account-key-file={pki / 'sa.pub'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--kubelet-client-certificate={pki / 'admin.crt'}",
            f"--kubelet-client-key={pki / 'admin.key'}",
            "--kubelet-preferred-address-types=InternalIP",  # else exec and logs try to resolve the node's name
            f"--requestheader-client-ca-file={pki / 'ca.crt'}",
            f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
            f"--proxy-client-key-file={pki / 'front-proxy.key'}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            *(self._audit_flags() if self.audit else ()),
        )

    def await_ready(self) -> None:
        """Waits until /readyz answers 200; raises DevclusterError with the log's end when it does not."""
        context = ssl.create_default_context(cafile=str(self.folder / "pki" / "ca.crt"))
        context.load_cert_chain(self.folder / "pki" / "admin.crt", self.folder / "pki" / "admin.key")
        deadline = time.monotonic() + _READY
        while time.monotonic() < deadline:
            for role in ("etcd", "apiserver"):
                self.processes.require(role)
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", context=context, timeout=2) as answer:  # noqa: S310
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise DevclusterError(f"the API server was not ready after {_READY:.0f} s: {self.processes.log('apiserver')}")

    def write_kubeconfig(self, path: Path, *, pki: Pki, user: str) -> None:
        """Writes a kubeconfig for the user whose pair of that name the authority has issued."""
        credentials = {
            "client-certificate-data": pki.base64(f"{user}.crt"),
            "client-key-data": pki.base64(f"{user}.key"),
        }
        cluster = {"server": self.url, "certificate-authority-data": pki.base64("ca.crt")}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "devcluster", "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": "devcluster", "context": {"cluster": "devcluster", "user": user}}],
            "current-context": "devcluster",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content))

    def _audit_flags(self) -> list[str]:
        policy = self.folder / "audit.yaml"
        rules = [{"level": "Metadata", "omitStages": ["RequestReceived"]}]
        policy.write_text(yaml.safe_dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}))
        return [f"--audit-policy-file={policy}", f"--audit-log-path={self.processes.log('audit')}"]

    def _controller_manager_flags(self) -> list[str]:
        pki = self.folder / "pki"
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={pki / 'sa.key'}",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--cluster-signing-cert-file={pki / 'ca.crt'}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            *(() if self.nodes else ("--secure-port=0",)),
            # Nodes that go away are noticed in seconds here, not in minutes.
            "--node-monitor-grace-period=20s",
            # By itself it sends 20 requests a second, whatever there is to do.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]

    def _start(self, component: str, *flags: str) -> None:
        self.processes.start(component, [*self.enter, self.kube, component, *flags])
