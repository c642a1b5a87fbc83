"""Names of persons and schools that do not exist, odd ones among them."""

from __future__ import annotations

GIVEN = (
    "Åse", "Bjørn", "Kåre", "Sølvi", "Ægir", "Ingrid", "Lars-Erik", "Mai Britt", "Jean-Noël", "D'Arcy", "Zoë",
    "Nguyễn", "Małgorzata", "José María", "Ödön", "Þóra", "Aleksandra", "Wim", "X",
    "Maximiliane-Theodora-Euphrosyne",    "Siri \"Sisi\"", "Tor\u0301d", "سارة", "陽子", "Ove\tTab",
)  # fmt: skip
FAMILY = (
    "Østby", "Ødegård", "Sæther", "O'Brien", "van der Berg", "Müller-Lüdenscheidt", "Ng", "Hansen", "Olsen",
    "Å",    "Bakke", "Fjørtoft", "Null", "True", "Smith, Jr.", "Kaczyński", "Þorsteinsdóttir", "al-Khwārizmī",
    "D\u2019Angelo",    "Nordmann", "Ærøy", "Straße", "Ibáñez", "Sørensen\\Lie",
)  # fmt: skip
SCHOOLS = (
    "Måneflekken skole", "Fjellsyn barneskole", "St. Hallvard's", "Øvre Årdal ungdomsskole", "Nordlys vgs",
    "Ås skole & kultursenter", "Bergtatt skole", "Havgløtt oppvekstsenter",
)  # fmt: skip
SUBJECTS = (
    "Matematikk",
    "Norsk",
    "Engelsk",
    "Naturfag",
    "Kroppsøving",
    "Musikk",
    "Kunst og håndverk",
    "KRLE",
)
