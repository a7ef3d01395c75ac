"""An authority of a toy's own, and how the toy speaks TLS. Only tests serve toys: trustme is a development tool."""

import datetime
import ssl
import warnings

LASTS = {"ending": 5}
"""Days that a certificate holds; of other toys a year."""


def contexts(kind: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What the toy serves with, and what its clients believe."""
    import trustme  # makes keys, which no other toy needs

    authority = trustme.CA()
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=LASTS.get(kind, 365))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=ends).configure_cert(served)
    if kind == "outdated":
        served.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            served.minimum_version = ssl.TLSVersion.TLSv1
    believed = ssl.create_default_context()
    authority.configure_trust(believed)
    return served, believed
