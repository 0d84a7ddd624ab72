"""`fedblocks doctor`: does a deployment have the defects of version 1?

:func:`~fedblocks.doctor.examine.examine` probes any deployment, of either version, by simulated calls only.
docs/doctor.md says what each probe does and how to read it.
"""

from fedblocks.doctor.examine import examine, examine_staking
from fedblocks.doctor.guard import is_own_deployment, refuse_unsafe
from fedblocks.doctor.report import STAKING_DEFECTS, Defect, Evidence, Finding, Report, Verdict

__all__ = [
    "STAKING_DEFECTS",
    "Defect",
    "Evidence",
    "Finding",
    "Report",
    "Verdict",
    "examine",
    "examine_staking",
    "is_own_deployment",
    "refuse_unsafe",
]
