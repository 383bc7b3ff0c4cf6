DROP TRIGGER watch_incident ON ibkeeper.watch;
DROP FUNCTION ibkeeper.watch_incident();
