-- What the doctor asks. Written as ibcore/queries.sql says.

-- doctor_server --
-- Works on an empty database, and on any PostgreSQL.
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int AS number,
       session_user::text AS login,
       pg_is_in_recovery() AS standby,
       current_setting('transaction_read_only')::bool AS read_only,
       clock_timestamp() AS now,
       (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS installed,
       (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb')
           AS available;

-- doctor_role --
-- Who works on this connection, and what of the needed verbs it may not.
SELECT current_user::text AS who,
       array(SELECT t.verb || ' ' || t.name
               FROM unnest(%(tables)s::text[], %(verbs)s::text[]) AS t (name, verb)
              WHERE NOT has_table_privilege(format('ibkeeper.%%I', t.name), t.verb)) AS missing;

-- doctor_data_folder --
-- Where the data of a server on this machine is (a socket or loopback). No row: it is elsewhere, or
-- this login may not see it.
SELECT setting FROM pg_settings
 WHERE name = 'data_directory'
   AND (inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8'
        OR host(inet_server_addr()) = '::1');
