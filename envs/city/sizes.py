"""Sizes and names of the model's fixed axes."""

TYPE_NAMES = (
    "lowest income",
    "low income",
    "lower middle",
    "upper middle",
    "high income",
    "highest income",
)
SECTOR_NAMES = ("manufacturing", "knowledge", "local", "public")
SERVICE_NAMES = ("education", "health", "safety", "culture")
MODE_NAMES = ("car", "transit", "active")
ENERGY_NAMES = ("homes", "workplaces", "industry", "transport")
#: Axes along which types, sectors and places are marked.
TAG_NAMES = ("schooling", "craft", "service", "civic")
#: Who may cheat the city: their beliefs about audits differ in how fast they learn.
EVADER_NAMES = ("taxpayers", "firms", "drivers", "passengers", "claimants")
#: What firms, drivers, passengers and claimants dodge beside taxes (axis "dodge").
DODGE_NAMES = ("subsidy", "toll", "fare", "claim")
TYPES = len(TYPE_NAMES)
MANUFACTURING = SECTOR_NAMES.index("manufacturing")
LOCAL = SECTOR_NAMES.index("local")
"""Sectors that the model treats by name: goods make freight and dirt, local firms sell to
residents; sectors before the local one export, the last one is public."""
SECTORS = len(SECTOR_NAMES)
KNOWLEDGE = SECTOR_NAMES.index("knowledge")
PRIVATE = SECTORS - 1
SERVICES = len(SERVICE_NAMES)
DEPARTMENT_NAMES = ("industry", "services", "infrastructure")
DEPARTMENTS = len(DEPARTMENT_NAMES)
