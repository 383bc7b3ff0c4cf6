Feature: REQ-002 Interactive Brokers Gateway integration
  The sidecar keeps a session with the gateway through ib_async 2.0.1 and lands market data in SQL.
  The gateway is the simulated one, in a process of its own; the sidecar is the real process.

  Background:
    Given a simulated gateway and a sidecar that watches AAPL and an option on it

  Scenario: The connection is established within 5 seconds
    Then every session that became ready did so within 5 seconds of its attempt

  Scenario: The gateway goes away and the session backs off exponentially
    When the gateway is killed and stays away until the sidecar waits for the third time
    Then the waits journalled in session_event are 1, 2 and 4 seconds
    When the gateway returns
    Then quotes flow again within 10 seconds without help

  @alone
  Scenario: Quotes are queryable within 500 milliseconds of their arrival
    When quotes have flowed for 5 seconds
    Then the 99th percentile of commit minus receive time is below 500 milliseconds
    And greeks of the option are in SQL with delta, gamma, vega and theta

  Scenario: The cache holds the newest quote of each instrument
    When quotes have flowed for 5 seconds
    Then quote_latest holds one row an instrument, equal to its newest quote

  Scenario: N contracts give N results, None for failures
    When AAPL, an unknown symbol, AAPL again and an ambiguous option are qualified
    Then there are 4 results: a contract, None, a contract, None
    And the contracts that were passed in are unchanged

  Scenario: Empty prices and sizes follow the configured IBDefaults
    When a client is made with IBDefaults of nan, nan, nan and UTC
    Then its tickers start with nan prices and nan sizes

  Scenario: The enhanced ticker fields land in SQL
    When quotes have flowed for 5 seconds
    Then quote_latest of AAPL has timestamp, shortable and the volume rates of 3, 5 and 10 minutes
    And the option has no volume rates, because IB sends them for stocks only

  Scenario: Market, limit and stop orders go out once and are filled
    When a market, a limit and a stop order of AAPL are submitted as one batch, twice
    Then within 15 seconds all three are filled, with their price and commission in SQL
    And the gateway was asked to place exactly three orders
