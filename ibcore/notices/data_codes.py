"""Codes about the session, IB's link, farms, lines and requests for data."""

from __future__ import annotations

from typing import Final

from ibcore.notices.notice import Action, Notice, Scope, Severity, graded

_R, _L, _F, _K, _S = Scope.request, Scope.line, Scope.farm, Scope.link, Scope.session
_I, _W, _E = Severity.info, Severity.warning, Severity.error

DATA_CODES: Final[tuple[Notice, ...]] = (
    *graded(_S, _E, Action.fail_session, """
        100 more than 50 messages a second were sent
        326 the client id is in use
        357 this client's version is out of date
        1300 the gateway's API port was changed"""),
    *graded(_K, _E, Action.mark_stale, """
        1100 the gateway lost its link to IB
        2110 the gateway has no link to IB"""),
    *graded(_K, _W, Action.resubscribe, "1101 the link is back, subscriptions are lost"),
    *graded(_K, _I, Action.verify_lines, "1102 the link is back, subscriptions are kept"),
    *graded(_F, _W, Action.mark_stale, """
        2103 a market-data farm is broken
        2105 a history farm is broken"""),
    *graded(_F, _I, Action.verify_lines, "2104 a market-data farm is connected"),
    *graded(_F, _W, Action.note, "2157 the security-definition farm is broken"),
    *graded(_F, _I, Action.note, """
        2106 a history farm is connected
        2107 a history farm is idle until it is asked
        2108 a market-data farm is idle until it is asked
        2119 a market-data farm is connecting
        2158 the security-definition farm is connected"""),
    *graded(_L, _E, Action.mark_stale, "10197 a competing live session takes the data"),
    *graded(_L, _E, Action.drop_line, """
        101 the allowance of market-data lines is used up
        138 the request for a line cannot be read
        301 the action of a line request is invalid
        316 market depth was halted: ask for it again
        354 market data is not subscribed
        10168 not subscribed, and delayed data is off
        10186 not subscribed, and delayed data is off
        10189 tick-by-tick data was refused
        10190 the allowance of tick-by-tick lines is used up"""),
    *graded(_L, _W, Action.mark_delayed, """
        10089 part of the data needs a subscription
        10167 not subscribed: delayed data is shown"""),
    *graded(_L, _W, Action.note, """
        317 market depth was reset: its book begins anew
        10090 part of the data is not subscribed
        10091 part of the data needs a further subscription"""),
    *graded(_L, _I, Action.note, """
        300 a line was cancelled that IB does not know
        310 a depth line was cancelled that IB does not know"""),
    *graded(_R, _E, Action.fail_request, """
        102 the request id is in use
        123 no contract record for that contract id
        124 no market rule for that contract id
        139 the request cannot be parsed
        143 the request id is no integer
        162 historical data: pacing violation or no data
        165 historical data: a word about the query
        166 historical data of an expired contract
        200 no such contract
        302 a ticker text cannot be parsed
        303 the action is invalid
        304 the account value action is invalid
        305 the request cannot be parsed and is ignored
        306 a DDE request failed
        307 the topic of the request is invalid
        308 the gateway's API page is full
        309 the allowance of depth lines is used up
        311 the origin is invalid
        319 the log level is invalid
        320 the gateway could not read the request
        321 the gateway could not validate the request
        322 the gateway could not process the request
        323 the gateway failed
        324 the gateway could not read a DDE request
        330 only advisors and brokers have managed accounts
        331 the gateway has no managed accounts
        344 the account is no advisor's
        346 the account is no institution's
        365 no scanner subscription with that id
        366 no historical data query with that id
        381 a DDE library is too old
        384 a DDE array request is invalid
        385 the id of the scanner subscription is in use
        386 the id of the history query is in use
        406 the currency is not allowed
        407 the symbol has characters that are not allowed
        414 a snapshot takes no generic ticks
        420 the query for real-time bars is invalid
        430 there are no fundamentals of this contract
        431 what to show is missing or wrong
        10182 live updates of bars were ended
        10187 historical ticks were refused
        10225 live bars were ended: ask for them again
        10314 an end time is not in the format that is wanted"""),
    *graded(_S, _I, Action.note, """
        2100 account updates were ended: another client asked for them
        2150 a position's value cannot be derived
        2174 a time without a zone: the zone is guessed"""),
    *graded(_S, _W, Action.note, """
        438 the gateway is locked
        2101 account updates of this account were refused"""),
)  # fmt: skip
