"""Who would not be signed in automatically: reads the directories, and judges. Changes nothing."""

from dataclasses import replace
from functools import partial

from halo_adsync.asking import read_request
from halo_adsync.customer import Customer
from halo_adsync.customer_login import PRINCIPAL_NAME
from halo_adsync.looking_up import facts_of
from halo_adsync.model import Meter
from halo_adsync.plan.readiness import Readiness, judge
from halo_adsync.plan.survey import survey
from halo_adsync.services import Services


def readiness(services: Services, customer: Customer) -> Readiness:
    """Look at everybody in scope. Entra is asked where the file names a tenant, Halo is not.

    Raises:
        IncompleteRead, DirectoryRefused: nothing is said on half a directory.
    """
    anchors = services.store(Meter()).of(customer.key).known().anchors
    reads = []
    for block in customer.directories:
        request = read_request(customer, block, anchors)
        request = replace(request, attributes=request.attributes | {PRINCIPAL_NAME}, staff=None)
        told = partial(services.progress, f"Reading {block.id}", total=None)
        with services.open_directory(block, Meter()) as directory:
            reads.append(directory.read(request, told))
    now = services.now()
    facts = facts_of(services, customer, lambda: None)
    found = survey(customer, reads, now, services.target, facts=facts)
    return judge(customer, reads, now, found, facts)
