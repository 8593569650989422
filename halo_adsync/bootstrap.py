"""The only place that builds clients. Nothing is built before it is used."""

import getpass
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.data.tables import TableServiceClient
from azure.keyvault.secrets import SecretClient
from azure.storage.queue import QueueClient

from halo_adsync.customer import Customer, DirectoryBlock, SecretRef
from halo_adsync.customer_connections import Relay
from halo_adsync.customer_login import Entra
from halo_adsync.directory.config import DirectoryConfig
from halo_adsync.directory.ldap import LdapDirectory
from halo_adsync.directory.relay import RelayConfig, Signatures, Tokens
from halo_adsync.errors import ConfigurationError
from halo_adsync.halo.adapter import HaloInstance
from halo_adsync.halo.budget import Budget, Limit
from halo_adsync.halo.codec import FIELDS, WIDTHS, canonical_text
from halo_adsync.halo.config import HaloConfig
from halo_adsync.identity import STORAGE_SCOPE, RelayTokens, credential
from halo_adsync.model import Meter
from halo_adsync.notify import Message, post
from halo_adsync.plan.mapping import Target
from halo_adsync.secrets import EnvironmentSecrets, Secrets, VaultSecrets
from halo_adsync.services import Progress, Pulse, Services, silent
from halo_adsync.settings import Settings, load_settings
from halo_adsync.state.azure_table import AzureTable
from halo_adsync.state.ledger import TableLedger
from halo_adsync.state.queue import ENCODING, QUEUE, AzureRequests
from halo_adsync.state.store import Store
from halo_adsync.sync import Sync
from halo_adsync.telemetry import Telemetry

if TYPE_CHECKING:
    from halo_adsync.directory.tunnel import Tunnel
    from halo_adsync.entra.graph import EntraTenant

_log = logging.getLogger(__name__)
TABLE = "HaloAdSync"
PATIENCE_SECONDS = 330.0
"""How long a run waits for Halo's budget before it gives way: a little more than Halo's whole window."""
TIME_OUTS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 40}
"""Seconds to connect, and between two parts of an answer: shorter than a lease lasts."""
HALO_FIELDS = frozenset(FIELDS)
"""The Halo user fields that a customer file may map, besides custom ones."""


def _now() -> datetime:
    return datetime.now(UTC)


class Builder:
    """Builds the clients of one process, from its settings.

    Args:
        settings: where state and secrets are.
        now: tells the time, in UTC.
        sleep: waits for so many seconds, where a run waits for Halo.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime] = _now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self._now, self._sleep = now, sleep
        self._secrets: Secrets | None = None
        self._tables: AzureTable | None = None
        self._identity: RelayTokens | None = None

    def secrets(self) -> Secrets:
        """Return where secrets come from."""
        if self._secrets is None:
            settings = self.settings
            self._secrets = (
                VaultSecrets(SecretClient(settings.key_vault_url, self._credential, **TIME_OUTS))
                if settings.key_vault_url
                else EnvironmentSecrets(settings.environment)
            )
        return self._secrets

    def store(self, meter: Meter | None = None) -> Store:
        """Return the store, counting on `meter`."""
        if self._tables is None:
            self._tables = AzureTable(self._table_service().get_table_client(TABLE), Meter())
        return Store(self._tables.with_meter(meter or Meter()), self._now)

    def requests(self) -> AzureRequests:
        """Return the queue of requests."""
        settings = self.settings
        if settings.connection_string:
            return AzureRequests(
                QueueClient.from_connection_string(
                    settings.connection_string, QUEUE, message_encode_policy=ENCODING, **TIME_OUTS
                )
            )
        identity = self._credential
        client = QueueClient(
            settings.queue_uri or "",
            QUEUE,
            credential=identity,
            message_encode_policy=ENCODING,
            **TIME_OUTS,
        )
        return AzureRequests(client, partial(identity.get_token, STORAGE_SCOPE))

    def services(self, progress: Progress = silent) -> Services:
        """Return the ports of the product, on their real adapters."""
        return Services(
            store=self.store,
            requests=self.requests(),
            open_halo=self.halo,
            open_directory=self.directory,
            open_entra=self.entra,
            call_webhook=self.call_webhook,
            now=self._now,
            target=Target(WIDTHS, canonical_text),
            progress=progress,
            telemetry=self.telemetry,
        )

    @cached_property
    def telemetry(self) -> Telemetry:
        """Where spans and numbers go: to Application Insights where the settings name one."""
        settings = self.settings
        if settings.insights is None:
            return Telemetry()
        # Imported here, because it takes a quarter of a second that the command line seldom needs.
        from halo_adsync.insights import connect

        identity = self._credential if settings.insights_by_identity else None
        try:
            return connect(settings.insights, identity, settings.site)
        except ConfigurationError as error:  # nobody's sync has to wait for that
            _log.error("No spans and numbers are sent: %s", error)
            return Telemetry()

    def halo(self, customer: Customer, meter: Meter, pulse: Pulse) -> HaloInstance:
        """Return a customer's Halo instance, with its share of the instance's budget.

        Raises:
            SecretMissing: the client secret or a header's value is not there.
        """
        block, secrets = customer.halo, self.secrets()
        headers = {
            name: secrets.get(value.secret) if isinstance(value, SecretRef) else value
            for name, value in block.headers.items()
        }
        config = HaloConfig(
            url=block.url,
            client_id=block.client_id,
            client_secret=secrets.get(block.client_secret.secret),
            renewed=partial(secrets.renewed, block.client_secret.secret),
            tenant=block.tenant,
            auth_url=block.auth_url,
            scope=block.scope,
            headers=headers,
            fields=frozenset(customer.fields) | frozenset(customer.match),
            agent_fields=frozenset(customer.agents.fields) | frozenset(customer.agents.match),
        )
        ledger = None
        if block.budget != "off":
            limit = Limit(block.budget.requests, block.budget.seconds)
            ledger = TableLedger(self.store(meter).table, urlsplit(block.url).netloc.lower(), limit)
        budget = Budget(ledger, self._now, self._sleep, PATIENCE_SECONDS)
        return HaloInstance(config, meter=meter, budget=budget, pulse=pulse)

    def directory(self, block: DirectoryBlock, meter: Meter) -> LdapDirectory:
        """Return one directory of a customer.

        Raises:
            SecretMissing: the password or the certificate is not there.
        """
        secrets = self.secrets()
        config = DirectoryConfig(
            id=block.id,
            servers=block.servers,
            user=block.bind.user,
            password=secrets.get(block.bind.password.secret),
            renewed=partial(secrets.renewed, block.bind.password.secret),
            tls=block.tls,
            ca_certificate=secrets.get(block.ca_certificate.secret) if block.ca_certificate else None,
            ca_file=block.ca_file,
            base_dn=block.base_dn,
        )
        return LdapDirectory(config, meter, tunnel=self._tunnel(block))

    def entra(self, block: Entra, pulse: Pulse) -> "EntraTenant":
        """Return the Entra tenant of a customer.

        Raises:
            SecretMissing: the certificate is not there.
        """
        # Imported here, because what msal signs with takes a tenth of a second that few customers need.
        from halo_adsync.entra.config import EntraConfig
        from halo_adsync.entra.graph import EntraTenant

        secrets = self.secrets()
        config = EntraConfig(
            tenant=block.tenant,
            client_id=block.client_id,
            pem=secrets.get(block.certificate.secret),
            renewed=partial(secrets.renewed, block.certificate.secret),
            login_url=block.login_url,
            graph_url=block.graph_url,
        )
        return EntraTenant(config, pulse=pulse, sleep=self._sleep)

    def call_webhook(self, customer: Customer, message: Message) -> None:
        """Send a notice to a customer's webhook, if it has one; raises as `notify.post` does.

        Raises:
            SecretMissing: its address is not there.
        """
        if customer.notify is not None and customer.notify.webhook is not None:
            secrets, name = self.secrets(), customer.notify.webhook.secret
            post(secrets.get(name), message, partial(secrets.renewed, name))

    def sync(self, progress: Progress = silent) -> Sync:
        """Return the use cases."""
        return Sync(self.services(progress))

    @cached_property
    def _credential(self) -> TokenCredential:
        """The one identity for storage and vault: it keeps its tokens, so there is one for all clients."""
        return credential(self.settings.client_id)

    def _tunnel(self, block: DirectoryBlock) -> "Tunnel | None":
        if block.connect == "direct":
            return None
        # Imported here, because directories that are reached directly need none of it.
        from halo_adsync.directory.tunnel import Tunnel

        relay = block.connect.relay
        connections = dict(zip(block.servers, relay.connections, strict=True))
        return Tunnel(RelayConfig(relay.host, connections, self._relay_tokens(relay)))

    def _relay_tokens(self, relay: Relay) -> Tokens:
        if relay.sas:
            secrets, name = self.secrets(), relay.sas.key.secret
            return Signatures(relay.sas.rule, secrets.get(name), partial(secrets.renewed, name))
        if self._identity is None:
            self._identity = RelayTokens(credential(self.settings.client_id))
        return self._identity

    def _table_service(self) -> TableServiceClient:
        settings = self.settings
        if settings.connection_string:
            return TableServiceClient.from_connection_string(settings.connection_string, **TIME_OUTS)
        return TableServiceClient(settings.table_uri or "", credential=self._credential, **TIME_OUTS)


@cache
def app() -> Builder:
    """Return the builder of this process.

    Raises:
        ConfigurationError: the settings are wrong; asked again later, they are read again.
    """
    logging.getLogger("azure").setLevel(logging.WARNING)  # else each of their requests fills half a page
    return Builder(load_settings())


def actor() -> str:
    """Return who uses the command line, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
