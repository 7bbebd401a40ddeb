CREATE TABLE event_types (event_type_id INTEGER NOT NULL, event_type VARCHAR(64),
    PRIMARY KEY (event_type_id));
CREATE TABLE states_meta (metadata_id INTEGER NOT NULL, entity_id VARCHAR(255),
    PRIMARY KEY (metadata_id));
CREATE TABLE states (state_id INTEGER NOT NULL, state VARCHAR(255), last_updated DATETIME,
    last_updated_ts FLOAT, old_state_id INTEGER, context_id_bin BLOB, metadata_id INTEGER,
    PRIMARY KEY (state_id), FOREIGN KEY(old_state_id) REFERENCES states (state_id),
    FOREIGN KEY(metadata_id) REFERENCES states_meta (metadata_id));
CREATE TABLE recorder_runs (run_id INTEGER NOT NULL, start DATETIME NOT NULL,
    closed_incorrect BOOLEAN NOT NULL, PRIMARY KEY (run_id));
CREATE UNIQUE INDEX ix_states_meta_entity_id ON states_meta (entity_id);
CREATE INDEX ix_states_metadata_id_last_updated_ts ON states (metadata_id, last_updated_ts);
INSERT INTO event_types VALUES (1, 'state_changed');
INSERT INTO states_meta VALUES (1, 'sensor.temperature');
INSERT INTO states WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    SELECT i, 20 + i * 0.1, NULL, 1714979289.123456 + i, nullif(i - 1, 0), randomblob(16), 1 FROM n;
INSERT INTO recorder_runs VALUES (1, '2024-05-06 07:08:09.123456', 0), (2, '2024-05-06 07:08:09', 1);
