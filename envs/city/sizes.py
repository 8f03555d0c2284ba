"""Sizes and names of the model's fixed axes."""

from envs.city.kinds import SECTOR_TABLE, SERVICE_TABLE

TYPE_NAMES = (
    "lowest income",
    "low income",
    "lower middle",
    "upper middle",
    "high income",
    "highest income",
)
SECTOR_NAMES = tuple(row.name for row in SECTOR_TABLE)
SERVICE_NAMES = tuple(row.name for row in SERVICE_TABLE)
MODE_NAMES = ("car", "transit", "active")
ENERGY_NAMES = ("homes", "workplaces", "industry", "transport")
#: Axes along which types, sectors and places are marked.
TAG_NAMES = ("schooling", "craft", "service", "civic")
#: Who may cheat the city: their beliefs about audits differ in how fast they learn.
EVADER_NAMES = ("taxpayers", "firms", "drivers", "passengers", "claimants")
#: What firms, drivers, passengers and claimants dodge beside taxes (axis "dodge").
DODGE_NAMES = ("subsidy", "toll", "fare", "claim")
DEPARTMENT_NAMES = ("industry", "services", "infrastructure")
TYPES = len(TYPE_NAMES)
SECTORS = len(SECTOR_NAMES)
PRIVATE = SECTORS - 1
PRIVATE_NAMES = SECTOR_NAMES[:PRIVATE]
#: Sectors that the model treats by name: goods make freight and dirt, recruiting courts knowledge,
#: local firms sell to residents. Sectors before the local one export, the last one is public.
MANUFACTURING = SECTOR_NAMES.index("manufacturing")
KNOWLEDGE = SECTOR_NAMES.index("knowledge")
LOCAL = SECTOR_NAMES.index("local")
SERVICES = len(SERVICE_NAMES)
#: Services that the model treats by name: schools help children to rise.
EDUCATION = SERVICE_NAMES.index("education")
DEPARTMENTS = len(DEPARTMENT_NAMES)
