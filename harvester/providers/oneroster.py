"""OneRoster 1.1 and 1.2: any server with OAuth 2.0 client credentials; the specifications' collections.

Sources: 1EdTech OneRoster 1.1 (REST binding) and 1.2 (rostering, gradebook and resources services).
"""

from __future__ import annotations

from harvester.providers.dialect import ClientCredentials, Environment, Paging, Provider, Resource

V1P1 = "/ims/oneroster/v1p1"
ROSTERING = "/ims/oneroster/rostering/v1p2"
GRADEBOOK = "/ims/oneroster/gradebook/v1p2"
RESOURCES = "/ims/oneroster/resources/v1p2"

BY_ID = {"sort": "sourcedId", "orderBy": "asc"}
PAGING = Paging(page_size=100, sort=BY_ID, order="sourcedId asc", date_filter=True)

DEFAULTS = frozenset({"orgs", "academicSessions", "courses", "classes", "users", "enrollments"})
"""The roster. Subsets of these (schools, students, terms ...) would double it; demographics are sensitive."""

# Collection -> the collections nested in one of its records, as the specifications name them.
_ROSTERING: dict[str, tuple[str, ...]] = {
    "orgs": (),
    "academicSessions": (),
    "courses": ("classes",),
    "classes": ("students", "teachers"),
    "users": ("classes",),
    "enrollments": (),
    "demographics": (),
    "schools": ("classes", "courses", "enrollments", "students", "teachers", "terms"),
    "students": ("classes",),
    "teachers": ("classes",),
    "terms": ("classes", "gradingPeriods"),
    "gradingPeriods": (),
}
_GRADEBOOK_1P1: dict[str, tuple[str, ...]] = {"categories": (), "lineItems": (), "results": ()}
_GRADEBOOK_1P2: dict[str, tuple[str, ...]] = {
    **_GRADEBOOK_1P1,
    "scoreScales": (),
    "assessmentLineItems": (),
    "assessmentResults": (),
}
_REFERENCES = {"enrollments": (("user", "users"), ("class", "classes"))}
"""Those that are looked after: an enrollment of nobody, or in nothing, is of no use."""
_SINGULAR = {"classes": "class", "gradingPeriods": "gradingPeriod", "academicSessions": "academicSession"}
_OF_CLASSES_1P1 = ("lineItems", "results")
_OF_CLASSES_1P2 = (*_OF_CLASSES_1P1, "categories")
"""getCategoriesForClass came with 1.2; in 1.1 categories belong to no class."""


def collections(names: dict[str, tuple[str, ...]], service: str = "") -> tuple[Resource, ...]:
    """Collections and, as child resources `parent_child` that are not pulled by default, the nested ones."""
    flat = [
        Resource(
            name=name,
            path=f"/{name}",
            service=service,
            default=name in DEFAULTS,
            references=_REFERENCES.get(name, ()),
        )
        for name in names
    ]
    nested = [nested_in(parent, child, service) for parent, children in names.items() for child in children]
    return (*flat, *nested)


def nested_in(parent: str, child: str, service: str = "") -> Resource:
    """`classes/{id}/students` as the resource `classes_students`, whose lines name their class."""
    singular = _SINGULAR.get(parent, parent.removesuffix("s"))
    return Resource(
        name=f"{parent}_{child}",
        path=f"/{parent}/{{parent}}/{child}",
        service=service,
        default=False,
        parent=parent,
        parent_key=f"{singular}SourcedId",
    )


ONEROSTER_V1P1 = Provider(
    name="oneroster-v1p1",
    title="OneRoster 1.1",
    service_path=V1P1,
    auth=ClientCredentials(),
    paging=PAGING,
    environments={"production": Environment()},
    resources=(
        *collections(_ROSTERING),
        *collections(_GRADEBOOK_1P1),
        *(nested_in("classes", child) for child in _OF_CLASSES_1P1),
        *collections({"resources": ()}),
        nested_in("classes", "resources"),
        nested_in("courses", "resources"),
    ),
)

ONEROSTER_V1P2 = Provider(
    name="oneroster-v1p2",
    title="OneRoster 1.2",
    service_path=ROSTERING,
    auth=ClientCredentials(),
    paging=PAGING,
    environments={"production": Environment()},
    resources=(
        *collections(_ROSTERING, ROSTERING),
        *collections(_GRADEBOOK_1P2, GRADEBOOK),
        *(nested_in("classes", child, GRADEBOOK) for child in _OF_CLASSES_1P2),
        *collections({"resources": ()}, RESOURCES),
        *(nested_in(parent, "resources", RESOURCES) for parent in ("classes", "courses", "users")),
    ),
)
