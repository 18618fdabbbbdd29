"""Numbers of the Galaxy database that builder and run time share."""

from __future__ import annotations

from enum import IntEnum


class Category(IntEnum):
    """MxAttributeCategory; U user, S supervisory, C configuration may write."""

    PackageOnly = 0
    PackageOnly_Lockable = 1
    Calculated = 2
    CalculatedRetentive = 3
    Writeable_U = 4
    Writeable_S = 5
    Writeable_US = 6
    Writeable_UC = 7
    Writeable_USC = 8
    Writeable_UC_Lockable = 9
    Writeable_USC_Lockable = 10
    Writeable_C_Lockable = 11
    SystemSetsOnly = 12
    SystemInternal = 13
    SystemWriteable = 14
    Constant = 15
    SystemInternal_Browsable = 16
    CalculatedPackage = 17
    DeleteAfterStartup = 18


class Security(IntEnum):
    """MxSecurityClassification."""

    FreeAccess = 0
    Operate = 1
    SecuredWrite = 2
    VerifiedWrite = 3
    Tune = 4
    Configure = 5
    ViewOnly = 6


PLATFORM_CATEGORY = 1
AREA_CATEGORY = 13
ENGINE_CATEGORIES = (1, 3, 4)
"""Category ids of templates whose instances host others and have a life of their own: platform and engines."""
