"""Sign a proof with a key of the user's: Ed25519, or HMAC-SHA256.

The key is the value of an environment variable. A private key in PEM signs with Ed25519, which
anybody can check; any other text is the shared key of an HMAC.
"""

import hmac
import os
from typing import TYPE_CHECKING, Any

from engine.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, HMAC = "ed25519", "hmac-sha256"
SHORTEST_KEY = 16
"""Characters of the shortest key for an HMAC."""


def sign(digest: str, key_env: str) -> dict[str, str] | None:
    """Return the signature of a digest; None without a key.

    Raises:
        UsageError: The variable holds no key that can sign.
    """
    if not key_env:
        return None
    key = _key(key_env)
    if not key.startswith("-----BEGIN"):
        return {"kind": HMAC, "value": _hmac(key, digest)}
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError) as error:
        raise UsageError(f"${key_env} is no private key in PEM ({error})") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(f"${key_env} is not an Ed25519 key: openssl genpkey -algorithm ed25519")
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    return {"kind": ED25519, "public_key": public, "value": private.sign(digest.encode()).hex()}


def check(digest: str, signature: Any, key_env: str) -> tuple[bool, str]:
    """Return whether a signature is right, and in words what was checked.

    Args:
        digest: What was signed.
        signature: As `sign` returned it.
        key_env: The variable with the key: the HMAC's, or the signer's public or private key in
            PEM. "" takes the public key that the signature brings along.

    Raises:
        UsageError: The variable is missing, or holds another kind of key.
    """
    if signature is None:
        if key_env:
            return False, "there is no signature"
        return True, "no signature"
    kind = signature.get("kind") if isinstance(signature, dict) else None
    if kind == HMAC:
        if not key_env:
            raise UsageError("the proof is signed by HMAC: name its key's variable, --key-env NAME")
        same = hmac.compare_digest(_hmac(_key(key_env), digest), str(signature.get("value")))
        return same, "signature by the key" if same else "the signature is not by this key"
    if kind != ED25519:
        return False, f"the signature is of no known kind ({kind})"
    return _check_ed25519(digest, signature, key_env)


def _check_ed25519(digest: str, signature: dict[str, Any], key_env: str) -> tuple[bool, str]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise UsageError("Ed25519 needs the package cryptography: pip install it") from None
    brought = str(signature.get("public_key", ""))
    if key_env and _public(_key(key_env), key_env) != brought:
        return False, "the signature is by another key"
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(brought))
        public.verify(bytes.fromhex(str(signature.get("value"))), digest.encode())
    except (InvalidSignature, ValueError):
        return False, "the signature is wrong"
    return True, f"signature by {brought[:16]}"


def _public(pem: str, key_env: str) -> str:
    """Return the public key of a key in PEM, as hexadecimal digits."""
    from cryptography.hazmat.primitives import serialization as pems

    public: Any
    try:
        if "PRIVATE" in pem:
            public = pems.load_pem_private_key(pem.encode(), None).public_key()
        else:
            public = pems.load_pem_public_key(pem.encode())
        return _raw(public)
    except (ValueError, TypeError) as error:
        raise UsageError(f"${key_env} is no key in PEM ({error})") from None


def _raw(public: "Ed25519PublicKey") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _key(key_env: str) -> str:
    key = os.environ.get(key_env, "").strip()
    if not key:
        raise UsageError(f"--key-env {key_env}: this environment variable is empty or not set")
    if key.startswith("-----BEGIN"):
        try:
            import cryptography  # noqa: F401
        except ImportError:
            raise UsageError(
                f"${key_env} is a key in PEM, which needs the package cryptography: pip install "
                "it, or set the variable to a long random text"
            ) from None
    elif len(key) < SHORTEST_KEY:
        raise UsageError(f"--key-env {key_env}: a key has {SHORTEST_KEY} characters or more")
    return key


def _hmac(key: str, digest: str) -> str:
    return hmac.new(key.encode(), digest.encode(), "sha256").hexdigest()
