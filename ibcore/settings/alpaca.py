"""Settings of Alpaca, the backup vendor."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from ibcore.settings.section import PositiveFloat, Section

StockFeed = Literal["sip", "iex", "delayed_sip"]
OptionFeed = Literal["opra", "indicative"]

_WHOLE_AND_LIVE: Final = frozenset({"sip", "opra"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SCHEMES: Final = {"stream_url": ("ws", "wss"), "data_url": ("http", "https")}


class AlpacaSettings(Section):
    """Alpaca as a backup of the data; without keys there is none."""

    # Else pydantic's errors repeat the input, with the keys in it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key_id: SecretStr | None = Field(None, description="Key of the account; unset: no Alpaca.")
    secret_key: SecretStr | None = Field(None, description="The secret that goes with it.")
    stock_feed: StockFeed = Field("sip", description="sip, iex or delayed_sip.")
    option_feed: OptionFeed = Field("opra", description="opra or indicative.")
    accept_indicative: bool = Field(
        False, description="Take iex, delayed_sip and indicative too; rows say so."
    )
    stream_url: str = Field("wss://stream.data.alpaca.markets", description="Of the streams.")
    data_url: str = Field("https://data.alpaca.markets", description="Of the snapshots.")
    greeks_s: PositiveFloat = Field(5.0, description="How often greeks are asked for.")

    @property
    def is_set(self) -> bool:
        """Say whether there is an Alpaca."""
        return self.key_id is not None

    @field_validator("stream_url", "data_url")
    @classmethod
    def _an_address(cls, url: str, info: object) -> str:
        parts = urlsplit(url)
        plain, secure = _SCHEMES[getattr(info, "field_name", "")]
        if parts.scheme not in (plain, secure) or not parts.hostname:
            raise ValueError(f"must begin with {secure}:// and name a host")
        if parts.scheme == plain and parts.hostname not in _LOOPBACK:
            raise ValueError(f"the keys would go over the network unencrypted: use {secure}://")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _complete_and_honest(self) -> AlpacaSettings:
        if (self.key_id is None) is not (self.secret_key is None):
            raise ValueError("IBKEEPER_ALPACA__KEY_ID and IBKEEPER_ALPACA__SECRET_KEY go together")
        lesser = {self.stock_feed, self.option_feed} - _WHOLE_AND_LIVE
        if self.is_set and lesser and not self.accept_indicative:
            raise ValueError(
                f"the feed {' and '.join(sorted(lesser))} is delayed, or a part of the market;"
                " set IBKEEPER_ALPACA__ACCEPT_INDICATIVE=true to take it as a backup"
            )
        return self
