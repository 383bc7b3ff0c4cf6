"""Is a line alive, and if it is silent, why: decisions only, each takes `now` and reads no clock.

    health    the answer for one line (`LineHealth`), its causes, the cures and their states
    hours     when a line is expected to speak: IB's own trading hours
    rhythm    how often it speaks when it speaks, and so how long a silence means something
    verdict   what is seen of a line and around it -> its cause
    ladder    which cure comes next

`sidecar.liveness` looks, acts and writes; readers use the table `line_state`.
"""

from __future__ import annotations
