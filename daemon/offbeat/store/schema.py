"""The tables, as numbered steps that are only ever added to. A file newer than the last step is refused."""

from __future__ import annotations

APPLICATION_ID = 0x0FFBEA7

MIGRATIONS: tuple[str, ...] = (
    """
    -- The journal: everything that changes the engine's state, in order.
    CREATE TABLE journal (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, body BLOB);

    -- Settings that results depend on, by the entry that brought them; they outlive it.
    CREATE TABLE settings (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);

    -- The catalog: numbers are given in order of first sight, in the transaction of the entry that first uses them.
    CREATE TABLE source (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, shard INTEGER NOT NULL, metadata TEXT NOT NULL DEFAULT '{}');
    CREATE TABLE field (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE series (id INTEGER PRIMARY KEY, source INTEGER NOT NULL, field INTEGER NOT NULL);
    CREATE INDEX series_of_source ON series (source);
    CREATE TABLE job (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, spec TEXT NOT NULL,
        created_ms INTEGER NOT NULL, created_seq INTEGER NOT NULL);

    -- Checkpoints: of each shard the newest and the one before, by the journal position that they stand for.
    CREATE TABLE shard (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, previous_seq INTEGER NOT NULL);
    CREATE TABLE checkpoint (
        shard INTEGER NOT NULL, seq INTEGER NOT NULL, part TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (shard, seq, part));

    -- Chunks: the tail of a shard as of a checkpoint. low and high are numbers of series (readings, windows) or of
    -- sources (buckets). made_ms, here and below, is when it arrived: retention goes by that, old history is welcome.
    CREATE TABLE chunk (
        kind TEXT NOT NULL, job INTEGER NOT NULL, shard INTEGER NOT NULL, seq INTEGER NOT NULL, part INTEGER NOT NULL,
        low INTEGER NOT NULL, high INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
        rows INTEGER NOT NULL, made_ms INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (kind, job, shard, seq, part));
    CREATE INDEX chunk_by_time ON chunk (kind, job, shard, end_ms, start_ms, low, high, seq);
    CREATE INDEX chunk_by_age ON chunk (kind, made_ms);

    -- Findings are rows. Writing one twice changes nothing.
    CREATE TABLE record (
        job INTEGER NOT NULL, series INTEGER NOT NULL, bucket_ms INTEGER NOT NULL, source INTEGER NOT NULL,
        time_ms INTEGER NOT NULL, actual REAL NOT NULL, typical REAL, lower REAL, upper REAL, novelty REAL NOT NULL,
        probability REAL, score REAL NOT NULL, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, made_ms INTEGER NOT NULL,
        PRIMARY KEY (job, series, bucket_ms)) WITHOUT ROWID;
    CREATE INDEX record_by_time ON record (job, bucket_ms, series);
    CREATE INDEX record_by_source ON record (job, source, bucket_ms, series);
    CREATE INDEX record_by_score ON record (job, score);
    CREATE INDEX record_by_place ON record (seq, ordinal);
    CREATE TABLE finding_bucket (
        job INTEGER NOT NULL, source INTEGER NOT NULL, start_ms INTEGER NOT NULL, event_count INTEGER NOT NULL,
        record_count INTEGER NOT NULL, novelty REAL NOT NULL, score REAL NOT NULL,
        seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, made_ms INTEGER NOT NULL,
        PRIMARY KEY (job, source, start_ms)) WITHOUT ROWID;
    CREATE INDEX finding_bucket_by_time ON finding_bucket (job, start_ms, source);
    CREATE INDEX finding_bucket_by_score ON finding_bucket (job, score);
    CREATE INDEX finding_bucket_by_place ON finding_bucket (seq, ordinal);

    -- A job's own buckets: closed buckets of sources add to them, in the transaction of the checkpoint with those.
    CREATE TABLE job_bucket (
        job INTEGER NOT NULL, start_ms INTEGER NOT NULL, source_count INTEGER NOT NULL, event_count INTEGER NOT NULL,
        record_count INTEGER NOT NULL, moderate_count INTEGER NOT NULL, novelty REAL NOT NULL, score REAL NOT NULL,
        made_ms INTEGER NOT NULL, PRIMARY KEY (job, start_ms)) WITHOUT ROWID;

    CREATE TABLE idempotency (
        key TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, digest BLOB NOT NULL, whole INTEGER NOT NULL,
        lines_done INTEGER NOT NULL, receipt TEXT NOT NULL) WITHOUT ROWID;
    CREATE INDEX idempotency_by_age ON idempotency (at_ms);
    CREATE TABLE quarantine (
        id INTEGER PRIMARY KEY AUTOINCREMENT, arrived_ms INTEGER NOT NULL, format TEXT NOT NULL, line INTEGER NOT NULL,
        code TEXT NOT NULL, reason TEXT NOT NULL, start TEXT NOT NULL);
    CREATE INDEX quarantine_by_code ON quarantine (code, id);
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    """,
    """
    -- A record says why, as offbeat_detectors.explain packs it; one that nothing came has no value.
    CREATE TABLE record_why (
        job INTEGER NOT NULL, series INTEGER NOT NULL, bucket_ms INTEGER NOT NULL, source INTEGER NOT NULL,
        time_ms INTEGER NOT NULL, actual REAL, typical REAL, lower REAL, upper REAL, novelty REAL NOT NULL,
        probability REAL, score REAL NOT NULL, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, made_ms INTEGER NOT NULL,
        evidence BLOB, PRIMARY KEY (job, series, bucket_ms)) WITHOUT ROWID;
    INSERT INTO record_why SELECT *, NULL FROM record;
    DROP TABLE record;
    ALTER TABLE record_why RENAME TO record;
    CREATE INDEX record_by_time ON record (job, bucket_ms, series);
    CREATE INDEX record_by_source ON record (job, source, bucket_ms, series);
    CREATE INDEX record_by_score ON record (job, score);
    CREATE INDEX record_by_place ON record (seq, ordinal);
    """,
    """
    -- Feedback: what was said of the readings of a series from start_ms to end_ms, and by what its findings' strengths
    -- are divided since entry created_seq, up to entry ended_seq. The counts are those of its whole life.
    CREATE TABLE adjustment (
        number INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, series INTEGER NOT NULL, factor REAL NOT NULL,
        verdict TEXT NOT NULL, note TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
        created_ms INTEGER NOT NULL, created_seq INTEGER NOT NULL, ended_ms INTEGER, ended_seq INTEGER,
        hidden_count INTEGER NOT NULL, revealed_count INTEGER NOT NULL);
    CREATE INDEX adjustment_of_series ON adjustment (series, job);
    """,
    """
    -- Findings in the order of time: those of a moment share pages, and each stands in a tree less.
    CREATE TABLE record_in_time (
        job INTEGER NOT NULL, series INTEGER NOT NULL, bucket_ms INTEGER NOT NULL, source INTEGER NOT NULL,
        time_ms INTEGER NOT NULL, actual REAL, typical REAL, lower REAL, upper REAL, novelty REAL NOT NULL,
        probability REAL, score REAL NOT NULL, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, made_ms INTEGER NOT NULL,
        evidence BLOB, PRIMARY KEY (job, bucket_ms, series)) WITHOUT ROWID;
    INSERT INTO record_in_time SELECT * FROM record;
    DROP TABLE record;
    ALTER TABLE record_in_time RENAME TO record;
    CREATE INDEX record_by_source ON record (job, source, bucket_ms, series);
    CREATE INDEX record_by_score ON record (job, score);
    CREATE INDEX record_by_place ON record (seq, ordinal);
    CREATE TABLE finding_bucket_in_time (
        job INTEGER NOT NULL, source INTEGER NOT NULL, start_ms INTEGER NOT NULL, event_count INTEGER NOT NULL,
        record_count INTEGER NOT NULL, novelty REAL NOT NULL, score REAL NOT NULL,
        seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, made_ms INTEGER NOT NULL,
        PRIMARY KEY (job, start_ms, source)) WITHOUT ROWID;
    INSERT INTO finding_bucket_in_time SELECT * FROM finding_bucket;
    DROP TABLE finding_bucket;
    ALTER TABLE finding_bucket_in_time RENAME TO finding_bucket;
    CREATE INDEX finding_bucket_by_source ON finding_bucket (job, source, start_ms);
    CREATE INDEX finding_bucket_by_score ON finding_bucket (job, score);
    CREATE INDEX finding_bucket_by_place ON finding_bucket (seq, ordinal);
    """,
    """
    -- Alerts: the rules; what they raised, by which findings; who is to be told, and was; what nobody was, and why.
    -- alert_place is the last finding that the rules have seen, and a name of this store, for ids that others keep.
    CREATE TABLE alert_place (
        one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, store TEXT NOT NULL);
    INSERT INTO alert_place VALUES (1, 0, 0, lower(hex(randomblob(8))));
    CREATE TABLE alert_rule (
        id TEXT PRIMARY KEY, body TEXT NOT NULL, created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE alert_calendar (id TEXT PRIMARY KEY, body TEXT NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE alert_silence (
        number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, until_ms INTEGER NOT NULL, removed_ms INTEGER);
    CREATE TABLE alert (
        number INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, job TEXT, source TEXT, field TEXT,
        raised_ms INTEGER NOT NULL, reached_ms INTEGER NOT NULL, told_ms INTEGER, told_count INTEGER NOT NULL,
        finding_count INTEGER NOT NULL, score REAL NOT NULL, record TEXT NOT NULL, sentence TEXT NOT NULL,
        sinks TEXT NOT NULL, cleared_ms INTEGER, cleared_by TEXT NOT NULL, acknowledged_ms INTEGER,
        acknowledged_by TEXT NOT NULL, acknowledged_comment TEXT NOT NULL);
    CREATE INDEX alert_active ON alert (number) WHERE cleared_ms IS NULL;
    CREATE INDEX alert_cleared ON alert (number) WHERE cleared_ms IS NOT NULL;
    CREATE INDEX alert_by_rule ON alert (rule, number);
    CREATE INDEX alert_by_source ON alert (source, number);
    CREATE TABLE alert_finding (
        alert INTEGER NOT NULL, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (alert, seq, ordinal)) WITHOUT ROWID;
    CREATE TABLE alert_delivery (
        number INTEGER PRIMARY KEY AUTOINCREMENT, alert INTEGER NOT NULL, kind TEXT NOT NULL, sink TEXT NOT NULL,
        state TEXT NOT NULL, attempts INTEGER NOT NULL, due_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL,
        ended_ms INTEGER, error TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX alert_delivery_waiting ON alert_delivery (sink, alert, number) WHERE state = 'waiting';
    CREATE INDEX alert_delivery_dead ON alert_delivery (number) WHERE state = 'dead';
    CREATE INDEX alert_delivery_of ON alert_delivery (alert, number);
    CREATE TABLE alert_suppressed (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, alert INTEGER, rule TEXT NOT NULL,
        kind TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL, source TEXT,
        record TEXT NOT NULL, score REAL);
    """,
    """
    -- Analyses: jobs that ask questions of buckets of records. document: what its clients were told of it. seq: the
    -- journal position that its checkpoint stands for; created_seq: the entry that began it.
    CREATE TABLE analysis (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, spec TEXT NOT NULL, document TEXT NOT NULL,
        created_ms INTEGER NOT NULL, created_seq INTEGER NOT NULL, seq INTEGER NOT NULL);
    CREATE TABLE analysis_state (
        job INTEGER NOT NULL, name TEXT NOT NULL, piece INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (job, name, piece));

    -- Their results. An interim one is replaced by the next of its bucket. body: JSON of what is only shown.
    CREATE TABLE result_bucket (
        job INTEGER NOT NULL, start_ms INTEGER NOT NULL, interim INTEGER NOT NULL, event_count INTEGER NOT NULL,
        record_count INTEGER NOT NULL, probability REAL NOT NULL, anomaly_score REAL NOT NULL,
        initial_anomaly_score REAL NOT NULL, normalized_max REAL NOT NULL, score REAL NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (job, start_ms)) WITHOUT ROWID;
    CREATE TABLE result_record (
        job INTEGER NOT NULL, start_ms INTEGER NOT NULL, ordinal INTEGER NOT NULL, interim INTEGER NOT NULL,
        detector INTEGER NOT NULL, probability REAL NOT NULL, normalized REAL NOT NULL,
        initial_normalized REAL NOT NULL, score REAL NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (job, start_ms, ordinal)) WITHOUT ROWID;
    CREATE INDEX result_record_by_normalized ON result_record (job, normalized);
    CREATE TABLE result_influencer (
        job INTEGER NOT NULL, start_ms INTEGER NOT NULL, ordinal INTEGER NOT NULL, interim INTEGER NOT NULL,
        field TEXT NOT NULL, value TEXT NOT NULL, probability REAL NOT NULL, anomaly_score REAL NOT NULL,
        initial_anomaly_score REAL NOT NULL, PRIMARY KEY (job, start_ms, ordinal)) WITHOUT ROWID;
    CREATE TABLE model_snapshot (
        job INTEGER NOT NULL, id TEXT NOT NULL, taken_ms INTEGER NOT NULL, priority INTEGER NOT NULL,
        description TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (job, id)) WITHOUT ROWID;
    """,
    """
    -- The model plot of analyses: of each bucket and entity the band in which a feature was expected, and what came.
    CREATE TABLE result_plot (
        job INTEGER NOT NULL, start_ms INTEGER NOT NULL, ordinal INTEGER NOT NULL, detector INTEGER NOT NULL,
        feature TEXT NOT NULL, partition_value TEXT, by_value TEXT, over_value TEXT, lower REAL NOT NULL,
        typical REAL NOT NULL, upper REAL NOT NULL, actual REAL NOT NULL, PRIMARY KEY (job, start_ms, ordinal))
        WITHOUT ROWID;
    """,
    """
    -- Checks: the rules; the runs that each means, their subjects, with what they said last and what the next run goes
    -- on from (state); what they said at each change; who knows of it; when it is not counted.
    CREATE TABLE check_rule (
        id TEXT PRIMARY KEY, body TEXT NOT NULL, created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE check_subject (
        number INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, columns TEXT NOT NULL, status TEXT, reason TEXT,
        message TEXT, details TEXT, ran_ms INTEGER, data_ms INTEGER, data_from_ms INTEGER, duration_ms REAL,
        since_ms INTEGER, outcome INTEGER, state TEXT NOT NULL, UNIQUE (rule, columns));
    CREATE TABLE check_column (
        source TEXT NOT NULL, field TEXT NOT NULL, subject INTEGER NOT NULL, PRIMARY KEY (source, field, subject))
        WITHOUT ROWID;
    CREATE INDEX check_column_of ON check_column (subject);
    CREATE TABLE check_outcome (
        number INTEGER PRIMARY KEY AUTOINCREMENT, subject INTEGER NOT NULL, rule TEXT NOT NULL, kind TEXT NOT NULL,
        parameters TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL,
        details TEXT NOT NULL, ran_ms INTEGER NOT NULL, data_ms INTEGER, data_from_ms INTEGER,
        duration_ms REAL NOT NULL, since_ms INTEGER NOT NULL);
    CREATE INDEX check_outcome_of ON check_outcome (subject, number);
    CREATE INDEX check_outcome_by_rule ON check_outcome (rule, number);
    CREATE INDEX check_outcome_by_age ON check_outcome (ran_ms);
    CREATE TABLE check_acknowledgement (
        subject INTEGER PRIMARY KEY, who TEXT NOT NULL, comment TEXT NOT NULL, at_ms INTEGER NOT NULL);
    CREATE TABLE check_maintenance (
        number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, until_ms INTEGER NOT NULL);
    """,
    """
    -- Tokens: who may do what. Of a secret there is only a hash. A token that was revoked stays as a row, so that the
    -- doors stay shut. token_epoch counts the changes, whoever makes them: by it the daemon sees those of others.
    CREATE TABLE token (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, salt BLOB NOT NULL, digest BLOB NOT NULL,
        created_ms INTEGER NOT NULL, expires_ms INTEGER, revoked_ms INTEGER) WITHOUT ROWID;
    CREATE UNIQUE INDEX token_by_name ON token (name) WHERE revoked_ms IS NULL;
    CREATE TABLE token_session (
        digest BLOB PRIMARY KEY, token TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL)
        WITHOUT ROWID;
    CREATE TABLE token_epoch (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL);
    INSERT INTO token_epoch VALUES (1, 0);
    CREATE TRIGGER token_added AFTER INSERT ON token BEGIN UPDATE token_epoch SET epoch = epoch + 1; END;
    CREATE TRIGGER token_changed AFTER UPDATE ON token BEGIN UPDATE token_epoch SET epoch = epoch + 1; END;
    CREATE TRIGGER token_gone AFTER DELETE ON token BEGIN UPDATE token_epoch SET epoch = epoch + 1; END;
    """,
    """
    -- The esmond archive: metadata records with what they are found by, the event types of each, and their summaries
    -- (base with window 0 stands for the values themselves). digest: of all that makes two records the same.
    CREATE TABLE esmond_metadata (
        number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, digest BLOB NOT NULL UNIQUE, source TEXT NOT NULL,
        subject_type TEXT NOT NULL, body TEXT NOT NULL, created_ms INTEGER NOT NULL);
    CREATE TABLE esmond_parameter (
        subject INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, metadata INTEGER NOT NULL,
        PRIMARY KEY (subject, name, value, metadata)) WITHOUT ROWID;
    CREATE TABLE esmond_event (
        number INTEGER PRIMARY KEY, metadata INTEGER NOT NULL, event_type TEXT NOT NULL, updated_s INTEGER,
        UNIQUE (metadata, event_type));
    CREATE INDEX esmond_event_by_type ON esmond_event (event_type, metadata);
    CREATE TABLE esmond_summary (
        event INTEGER NOT NULL, type TEXT NOT NULL, span_s INTEGER NOT NULL, PRIMARY KEY (event, type, span_s))
        WITHOUT ROWID;

    -- What was written, a value for each second, as JSON; and of each bin of a window what it comes to so far.
    CREATE TABLE esmond_base (
        event INTEGER NOT NULL, ts INTEGER NOT NULL, value BLOB NOT NULL, made_ms INTEGER NOT NULL,
        PRIMARY KEY (event, ts)) WITHOUT ROWID;
    CREATE INDEX esmond_base_by_age ON esmond_base (made_ms);
    CREATE TABLE esmond_bin (
        event INTEGER NOT NULL, span_s INTEGER NOT NULL, ts INTEGER NOT NULL, state BLOB NOT NULL,
        made_ms INTEGER NOT NULL, PRIMARY KEY (event, span_s, ts)) WITHOUT ROWID;
    CREATE INDEX esmond_bin_by_age ON esmond_bin (made_ms);

    -- Of a write whose numbers are too many for one block: how many blocks of them are in the journal already.
    CREATE TABLE esmond_begun (
        digest BLOB PRIMARY KEY, blocks INTEGER NOT NULL, made_ms INTEGER NOT NULL) WITHOUT ROWID;
    """,
    """
    -- MVG: sources of one tenant each, their measurements, labels and analyses. made: a number that is never given
    -- again; measurements whose source is gone are gone as well, and are removed little by little. body of a row of a
    -- table: its float64 numbers, little-endian, in the order of the columns; of others: offbeat.packing of channels.
    CREATE TABLE mvg_source (
        number INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, id TEXT NOT NULL, data_class TEXT NOT NULL,
        names TEXT NOT NULL, plain INTEGER NOT NULL, meta TEXT NOT NULL, external_id TEXT, external TEXT NOT NULL,
        watched TEXT NOT NULL, UNIQUE (tenant, id));
    CREATE UNIQUE INDEX mvg_source_external ON mvg_source (tenant, external_id) WHERE external_id IS NOT NULL;
    CREATE INDEX mvg_source_watched ON mvg_source (watched);
    CREATE TABLE mvg_measurement (
        made INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL, timestamp INTEGER NOT NULL, duration REAL,
        low REAL, high REAL, meta TEXT NOT NULL, scalars TEXT, samples INTEGER NOT NULL, bytes INTEGER NOT NULL,
        body BLOB NOT NULL, UNIQUE (source, timestamp));
    CREATE TABLE mvg_label (
        made INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL, timestamp INTEGER NOT NULL,
        label TEXT NOT NULL, severity INTEGER NOT NULL, notes TEXT NOT NULL, changed_ms INTEGER NOT NULL,
        UNIQUE (source, timestamp));
    CREATE TABLE mvg_analysis (
        number INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, id TEXT NOT NULL, feature TEXT NOT NULL,
        request TEXT NOT NULL, status TEXT NOT NULL, history TEXT NOT NULL, queued_ms INTEGER NOT NULL,
        callback TEXT NOT NULL, used TEXT NOT NULL, error TEXT NOT NULL, inputs BLOB, results BLOB, model BLOB,
        UNIQUE (tenant, id));
    CREATE INDEX mvg_analysis_under_way ON mvg_analysis (queued_ms, number) WHERE status IN ('queued', 'ongoing');
    CREATE TABLE mvg_analysis_source (
        source INTEGER NOT NULL, analysis INTEGER NOT NULL, PRIMARY KEY (source, analysis)) WITHOUT ROWID;
    """,
    """
    -- Events of energy meters, as the energy-sensors protocol brings them: the features that they are clustered by, and
    -- all of each. The counter of the batch; up to which event a run is due, and was made; the clusters of the last.
    CREATE TABLE energy_event (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stored_ms INTEGER NOT NULL, reported_ms INTEGER NOT NULL,
        device INTEGER NOT NULL, active REAL NOT NULL, reactive REAL NOT NULL, apparent REAL NOT NULL,
        current REAL NOT NULL, voltage REAL NOT NULL, peak1 REAL, peak2 REAL, peak3 REAL, body TEXT NOT NULL);
    CREATE TABLE energy_batch (
        one INTEGER PRIMARY KEY CHECK (one = 1), pending INTEGER NOT NULL, due INTEGER NOT NULL, done INTEGER NOT NULL);
    INSERT INTO energy_batch VALUES (1, 0, 0, 0);
    CREATE TABLE energy_cluster (
        label INTEGER PRIMARY KEY, count INTEGER NOT NULL, active REAL NOT NULL, reactive REAL NOT NULL,
        apparent REAL NOT NULL, current REAL NOT NULL, voltage REAL NOT NULL);
    """,
    """
    -- Alerts of checks. check_end: a subject of which a check says nothing any more, numbered with the outcomes.
    -- alert_holder: the outcomes by which subjects hold an alert. alert_place.outcome: the last that rules have seen.
    CREATE TABLE check_end (
        number INTEGER PRIMARY KEY AUTOINCREMENT, subject INTEGER NOT NULL, rule TEXT NOT NULL, columns TEXT NOT NULL,
        was TEXT NOT NULL, message TEXT NOT NULL, at_ms INTEGER NOT NULL);
    CREATE INDEX check_end_of ON check_end (subject, number);
    CREATE TABLE alert_holder (
        alert INTEGER NOT NULL, subject INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (alert, subject))
        WITHOUT ROWID;
    ALTER TABLE alert_place ADD COLUMN outcome INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE alert ADD COLUMN check_id TEXT;
    ALTER TABLE alert ADD COLUMN status TEXT NOT NULL DEFAULT '';
    ALTER TABLE alert ADD COLUMN tried_ms INTEGER;
    ALTER TABLE alert_suppressed ADD COLUMN check_id TEXT;
    """,
)
