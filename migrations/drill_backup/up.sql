-- Drills of failing over: a stale feed, a lost standby, and what they measure.
ALTER TABLE ibkeeper.drill DROP CONSTRAINT drill_scenario_known;
ALTER TABLE ibkeeper.drill ADD CONSTRAINT drill_scenario_known
    CHECK (scenario IN ('drop', 'refuse', 'mute', 'stale', 'standby', 'alert'));
ALTER TABLE ibkeeper.drill ADD COLUMN failover_s float8;
ALTER TABLE ibkeeper.drill ADD COLUMN backup_tick_s float8;
ALTER TABLE ibkeeper.drill ADD COLUMN failback_s float8;
ALTER TABLE ibkeeper.drill ADD COLUMN ticks_lost int;
COMMENT ON COLUMN ibkeeper.drill.scenario IS 'drop, refuse, mute, stale, standby or alert.';
COMMENT ON COLUMN ibkeeper.drill.failover_s IS 'From the fault until a backup was taken, s; NULL: it was not.';
COMMENT ON COLUMN ibkeeper.drill.backup_tick_s IS 'From then to the first row of the backup, s; NULL: none came.';
COMMENT ON COLUMN ibkeeper.drill.failback_s IS 'From the end of the fault until the primary was taken back, s; NULL: not seen.';
COMMENT ON COLUMN ibkeeper.drill.ticks_lost IS 'Messages of the primary unheard before the backup was taken; NULL: not known.';
COMMENT ON COLUMN ibkeeper.drill_step.name IS 'begun, noticed, failed over, backup tick, released, ready, first tick, failed back, delivered.';
