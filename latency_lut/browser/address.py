"""The address that a phone opens: how it is reached, shown, and made trustworthy."""

from __future__ import annotations

import io
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from latency_lut.errors import DeviceError

EVERYWHERE = ("", "0.0.0.0")
LOCAL = ("localhost", "127.0.0.1")
DAYS = 825  # Browsers of phones refuse certificates that hold for longer.


def reachable_host(host: str) -> str:
    """The name under which others reach a server that listens on ``host``."""
    if host not in EVERYWHERE:
        return host
    # No packet is sent: the system only says which of its addresses it would send from.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def invitation(url: str, port: int, drawn: bool) -> str:
    """What the terminal shows: the address, what is lost where it is not secure, the QR code.

    The code is ``drawn`` with escape sequences, for terminals alone.
    """
    lines = [f"open this page on the device, and leave it open and in sight: {url}"]
    if url.startswith("http://") and urlsplit(url).hostname not in LOCAL:
        lines.append(
            "over plain http a phone gives neither threads nor a fine clock, and measuring takes "
            "longer. To have both, set NAS_LOOP_BROWSER_CERTIFICATE=self; or, with a cable, "
            f"NAS_LOOP_BROWSER_ADDRESS=localhost:{port}, after adb reverse tcp:{port} tcp:{port}"
        )
    if drawn:
        import segno

        code = io.StringIO()
        segno.make(url, micro=False).terminal(code, border=2, compact=True)
        # Light modules are drawn: in white on black, whatever the terminal's own colours are.
        lines += [f"\033[97;40m{row}\033[0m" for row in code.getvalue().splitlines()]
    return "\n".join(lines)


def tls_context(certificate: str, host: str, cache: Path) -> ssl.SSLContext:
    """For HTTPS with a PEM file of key and certificates, or ``self`` for one that is made here.

    Raises ``DeviceError`` if it cannot be read or made.
    """
    path = _own_certificate(host, cache) if certificate == "self" else Path(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(path)
    except (OSError, ssl.SSLError) as error:
        raise DeviceError(
            f"{path}: the certificate of the browser's page (NAS_LOOP_BROWSER_CERTIFICATE) is a "
            f"PEM file with the key and the certificates, or `self`; it cannot be used ({error})"
        ) from error
    return context


def _own_certificate(host: str, cache: Path) -> Path:
    path = cache / f"browser-{host}.pem"
    if path.exists() and time.time() - path.stat().st_mtime < (DAYS - 1) * 86_400:
        return path
    openssl = shutil.which("openssl")
    if openssl is None:
        raise DeviceError(
            "a certificate of one's own is made with the program openssl, which is not installed; "
            "install it, or name a PEM file in NAS_LOOP_BROWSER_CERTIFICATE"
        )
    name = f"IP:{host}" if host.replace(".", "").isdigit() else f"DNS:{host}"
    cache.mkdir(parents=True, exist_ok=True)
    # The folder is its maker's alone, and the file in it stays so when it is moved.
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        key, fresh = Path(scratch) / "key.pem", Path(scratch) / "certificate.pem"
        command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-batch"]
        command += ["-days", str(DAYS), "-subj", "/CN=nas-loop", "-addext"]
        command += [f"subjectAltName={name},DNS:localhost"]
        command += ["-keyout", str(key), "-out", str(fresh)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            said = (made.stderr.strip().splitlines() or ["no word"])[-1]
            raise DeviceError(f"openssl made no certificate: {said}")
        key.write_bytes(key.read_bytes() + fresh.read_bytes())
        key.chmod(0o600)
        key.replace(path)
    return path
