"""What the Hub does to the pushes: faults at a low rate, and a commit quota with an hour that is short."""

from localhub.faults import Action, Fault, Quota

FAULTS = (
    Fault("commit", action=Action.CLOSE, lands=True, every=31, times=None),
    Fault("commit", status=412, every=43, times=None),
    Fault("commit", status=500, every=89, times=None),
    Fault("preupload", status=503, every=61, times=None),
    Fault("preupload", status=429, every=97, times=None),
    Fault("lfs_batch", status=503, every=997, times=None),
    Fault("lfs_put", status=503, every=1009, times=None),
    Fault("lfs_put", action=Action.RESET, every=701, times=None),
    Fault("info", status=429, retry_after=1, every=67, times=None),
    Fault("paths_info", action=Action.CLOSE, every=71, times=None),
    Fault("tree", status=504, every=83, times=None),
    Fault("whoami", status=503, every=37, times=None),
)
"""Each strikes every so many requests of its class; the numbers are prime, so that they do not strike in step."""

QUOTA = Quota(commits=16, window_seconds=10.0)
"""The Hub allows 128 commits an hour, and a rehearsal of 113 chunks makes up to 1,200 in less. With a window so short
the quota strikes now and then, and is filled again soon."""
