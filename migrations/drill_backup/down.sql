-- Undoes up.sql. Drills that the older table does not know are forgotten.
ALTER TABLE ibkeeper.drill_step DISABLE TRIGGER drill_step_append_only;
ALTER TABLE ibkeeper.drill DISABLE TRIGGER drill_append_only;
DELETE FROM ibkeeper.drill_step WHERE drill_id IN
    (SELECT id FROM ibkeeper.drill WHERE scenario IN ('stale', 'standby'));
DELETE FROM ibkeeper.drill WHERE scenario IN ('stale', 'standby');
ALTER TABLE ibkeeper.drill_step ENABLE TRIGGER drill_step_append_only;
ALTER TABLE ibkeeper.drill ENABLE TRIGGER drill_append_only;
ALTER TABLE ibkeeper.drill DROP CONSTRAINT drill_scenario_known;
ALTER TABLE ibkeeper.drill ADD CONSTRAINT drill_scenario_known
    CHECK (scenario IN ('drop', 'refuse', 'mute', 'alert'));
ALTER TABLE ibkeeper.drill DROP COLUMN failover_s;
ALTER TABLE ibkeeper.drill DROP COLUMN backup_tick_s;
ALTER TABLE ibkeeper.drill DROP COLUMN failback_s;
ALTER TABLE ibkeeper.drill DROP COLUMN ticks_lost;
COMMENT ON COLUMN ibkeeper.drill.scenario IS 'drop, refuse, mute or alert.';
COMMENT ON COLUMN ibkeeper.drill_step.name IS 'begun, noticed, released, ready, first tick, delivered.';
