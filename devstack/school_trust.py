"""Generates the demo's school trust, `data/school-trust.ldif` (`python -m devstack.school_trust`).

The domain `DC=trust,DC=example`, NetBIOS name TRUST:

    OU=Schools                         six schools: three have Years 7 to 11, three Reception to Year 6
      OU=<school>
        OU=Staff                       15 people
        OU=Pupils > OU=<year>          48 people
    OU=Office                          22 people
      OU=Service Accounts              to be carved out
    OU=Groups
    CN=Users                           critical system objects

* **400 people**: enabled accounts in Schools (378) and Office (22), outside Service Accounts. 20 of them, all
  pupils, have no mail; two, sister and brother, share one address.
* 14 disabled people, two in each school's Staff and in Office.
* 7 shared mailboxes, one in each school's Staff and one in Office; disabled, as Exchange keeps them.
* 5 service accounts, among them `svc-halo`, which the sync signs in with (password in `demo_people`).
* 12 computers, two in each school's Staff.
* 3 critical system objects: Administrator (enabled), Guest and krbtgt (disabled).
* 10 groups: Staff of each school, All Staff (nests those six and Office Staff), Office Staff, IT Team, and
  Service Desk Agents (nests IT Team).
* 58 organisational units.

Some names are there to be difficult: apostrophes, commas (escaped in the DN), umlauts, an emoji, a plus and a
hash, a display name of 120 characters.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from devstack.demo_people import PASSWORD, Organisation, account_name, full_name
from devstack.directory.ldif import write_ldif

if TYPE_CHECKING:
    from devstack.directory.edits import Values
    from devstack.directory.ldif import Entry

PATH = Path(__file__).with_name("data") / "school-trust.ldif"

PRIMARY = ("Reception", *(f"Year {year}" for year in range(1, 7)))
SECONDARY = tuple(f"Year {year}" for year in range(7, 12))
SCHOOLS = {
    "Ashford High": SECONDARY,
    "Birch Lane Primary": PRIMARY,
    "Castle Academy": SECONDARY,
    "Dove & Dale Primary": PRIMARY,
    "King's Cross College": SECONDARY,
    "St Mary's, Lower Hill": PRIMARY,
}
STAFF, PUPILS, OFFICE, TECHNICIANS, LEAVERS = 15, 48, 22, 6, 2

DIFFICULT_NAMES = {
    3: ("Seán", "O'Brien-D'Angelo"),
    9: ("Rosa + Ray", "Smith, Jr."),
    21: ("Pixie ✨", "Star"),
    33: ("#Ada", 'Love "Lace"'),
    45: ("Jörg", "Größenwahn"),
}
"""Pupils of the first school, by their place among them."""
SIBLINGS = (6, 7)
SIBLINGS_MAIL = "family.khan-okafor@home.example"
EVERY_TWELFTH = 12
LONG_DISPLAY_NAME = (
    "Professor Dr. Maria-Theresia Wilhelmina Alexandra Josephine Charlotte Philippa "
    "von Hohenstein-Lichtenberg zu Alten-Wolfs"
)


def generate() -> list[Entry]:
    """Return all objects of the trust, parents first."""
    return _Trust().entries


class _Trust(Organisation):
    def __init__(self) -> None:
        super().__init__("trust.example")
        self._people = 0
        self.add_built_in_accounts()
        schools, office, groups = self.add_ou("Schools"), self.add_ou("Office"), self.add_ou("Groups")
        chief, *office_people = self._office(office)
        staff_groups = [
            self.add_group(f"{school} Staff", groups, self._school(school, years, schools, chief))
            for school, years in SCHOOLS.items()
        ]
        office_group = self.add_group("Office Staff", groups, [chief, *office_people])
        self.add_group("All Staff", groups, [*staff_groups, office_group])
        technicians = self.add_group("IT Team", groups, office_people[:TECHNICIANS])
        self.add_group("Service Desk Agents", groups, [technicians, office_people[-1]])

    def _office(self, ou: str) -> list[str]:
        """Add the central office, and return the DNs of its enabled people, the chief executive first."""
        chief = self._employee(ou, "Trust Office", title="Chief Executive", displayName=LONG_DISPLAY_NAME)
        others = [
            self._employee(
                ou, "Trust Office", title="IT Technician" if place < TECHNICIANS else "Officer", manager=chief
            )
            for place in range(OFFICE - 1)
        ]
        for _ in range(LEAVERS):
            self._employee(ou, "Trust Office", enabled=False, title="Officer")
        self._shared_mailbox("Trust Office", "office", ou)
        services = self.add_ou("Service Accounts", ou)
        self.add_service_account("svc-halo", services, "Reads the directory for Halo", userPassword=PASSWORD)
        for account in ("svc-backup", "svc-print", "svc-scanner", "svc-timetable"):
            mail = f"{account}@{self.dns_domain}"
            self.add_service_account(account, services, "Runs a service", mail=mail)
        return [chief, *others]

    def _school(self, school: str, years: tuple[str, ...], parent: str, chief: str) -> list[str]:
        """Add a school, and return the DNs of its enabled staff."""
        root = self.add_ou(school, parent)
        staff, pupils = self.add_ou("Staff", root), self.add_ou("Pupils", root)
        head = self._employee(staff, school, title="Head Teacher", manager=chief)
        teachers = [self._employee(staff, school, title="Teacher", manager=head) for _ in range(STAFF - 1)]
        for _ in range(LEAVERS):
            self._employee(staff, school, enabled=False, title="Teacher")
        initials = "".join(word[0] for word in school.split() if word[0].isalpha())
        self._shared_mailbox(school, initials.lower(), staff)
        for number in (1, 2):
            self.add_computer(f"{initials}-PC-{number:02}", staff)
        classes = [(year, self.add_ou(year, pupils)) for year in years]
        for place in range(PUPILS):
            self._pupil(school, place, *classes[place % len(classes)])
        return [head, *teachers]

    def _employee(self, ou: str, site: str, *, enabled: bool = True, **attributes: Values) -> str:
        account, names = self._next_person()
        contact: dict[str, Values] = {
            "physicalDeliveryOfficeName": site,
            "department": "Teaching" if "Teacher" in str(attributes["title"]) else "Administration",
            "telephoneNumber": f"+44 1632 960{self._people % 1000:03}",
            "mobile": f"+44 7700 900{self._people % 1000:03}" if self._people % 3 == 0 else None,
            "employeeID": f"E{self._people:04}",
        }
        mail = f"{account}@{self.dns_domain}"
        contact["proxyAddresses"] = (f"SMTP:{mail}", f"smtp:{account}@mail.{self.dns_domain}")
        return self.add_person(account, names, ou, contact | attributes, enabled=enabled)

    def _pupil(self, school: str, place: int, year: str, ou: str) -> None:
        account, names = self._next_person()
        mail: str | None = f"{account}@{self.dns_domain}"
        surname_first = False
        if school == next(iter(SCHOOLS)):
            names = DIFFICULT_NAMES.get(place, names)
            surname_first = place % EVERY_TWELFTH == 1
            if place in SIBLINGS:
                names, mail = (names[0], "Khan-Okafor"), SIBLINGS_MAIL
        elif place % EVERY_TWELFTH == 0:
            mail = None
        given, surname = names
        attributes: dict[str, Values] = {
            "cn": f"{surname}, {given}" if surname_first else f"{given} {surname}",
            "mail": mail,
            "title": "Pupil",
            "department": year,
            "physicalDeliveryOfficeName": school,
            "employeeID": f"P{self._people:04}",
        }
        self.add_person(account, names, ou, attributes)

    def _shared_mailbox(self, site: str, prefix: str, ou: str) -> None:
        names = (site, "Reception Desk")
        self.add_person(f"{prefix}.reception", names, ou, {"description": "Shared mailbox"}, enabled=False)

    def _next_person(self) -> tuple[str, tuple[str, str]]:
        self._people += 1
        names = full_name(self._people)
        return account_name(names, self._people), names


def main() -> None:
    """Write the file."""
    write_ldif(PATH, generate(), "Made by devstack/school_trust.py: change that, not this file.")


if __name__ == "__main__":
    main()
