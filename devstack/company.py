"""Generates the demo's second customer, `data/company.ldif`: always the same, `python -m devstack.company`.

The domain `DC=company,DC=example`, NetBIOS name COMPANY, with flat organisational units:

* **60 people**, 20 each in OU=Leeds, OU=Berlin and OU=Lyon, with their department, office and manager.
* 4 disabled people in OU=Leavers.
* 3 service accounts in OU=Service Accounts, among them `svc-halo` (password in `demo_people`).
* 6 computers, two in each office's unit.
* 4 groups in OU=Groups: one of each office, and All Offices, which nests them.
* 3 critical system objects in CN=Users: Administrator (enabled), Guest and krbtgt (disabled).
* 6 organisational units.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from devstack.demo_people import PASSWORD, Organisation, account_name, full_name
from devstack.directory.ldif import write_ldif

if TYPE_CHECKING:
    from devstack.directory.edits import Values
    from devstack.directory.ldif import Entry

PATH = Path(__file__).with_name("data") / "company.ldif"

OFFICES = {"Leeds": "+44 1632 960", "Berlin": "+49 30 23125 ", "Lyon": "+33 4 65 71 0 "}
DEPARTMENTS = ("Engineering", "Sales", "Finance", "People", "Operations")
PEOPLE_OF_AN_OFFICE, LEAVERS = 20, 4
# The trust's people begin at 1; these have other names.
_FIRST = 1000


def generate() -> list[Entry]:
    """Return all objects of the company, parents first."""
    company = Organisation("company.example")
    company.add_built_in_accounts()
    groups, leavers = company.add_ou("Groups"), company.add_ou("Leavers")
    services = company.add_ou("Service Accounts")
    company.add_service_account("svc-halo", services, "Reads the directory for Halo", userPassword=PASSWORD)
    for account in ("svc-backup", "svc-build"):
        company.add_service_account(account, services, "Runs a service")
    number = _FIRST
    office_groups = []
    for office, phone in OFFICES.items():
        people = _office(company, office, phone, number)
        office_groups.append(company.add_group(office, groups, people))
        number += PEOPLE_OF_AN_OFFICE
    company.add_group("All Offices", groups, office_groups)
    for leaver in range(number, number + LEAVERS):
        names = full_name(leaver)
        company.add_person(
            account_name(names, leaver), names, leavers, {"department": "Sales"}, enabled=False
        )
    return company.entries


def _office(company: Organisation, office: str, phone: str, first: int) -> list[str]:
    """Add an office and return its people's DNs, the manager of all others first."""
    ou = company.add_ou(office)
    people: list[str] = []
    for place in range(PEOPLE_OF_AN_OFFICE):
        names = full_name(first + place)
        attributes: dict[str, Values] = {
            "title": "Specialist" if people else "Office Manager",
            "department": DEPARTMENTS[place % len(DEPARTMENTS)],
            "physicalDeliveryOfficeName": office,
            "telephoneNumber": f"{phone}{100 + place}",
            "employeeID": f"C{first + place}",
            "manager": people[:1],
        }
        people.append(company.add_person(account_name(names, first + place), names, ou, attributes))
    for place in (1, 2):
        company.add_computer(f"{office.upper()}-{place:02}", ou)
    return people


def main() -> None:
    """Write the file."""
    write_ldif(PATH, generate(), "Made by devstack/company.py: change that, not this file.")


if __name__ == "__main__":
    main()
