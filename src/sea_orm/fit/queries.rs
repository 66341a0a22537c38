//! The queries of the databases' catalogues. Text alone; `inspect` reads the answers.

/// What it is if it is not a table, and its engine.
pub(super) const POSTGRES_FORM: &str = "\
    SELECT CASE WHEN relkind IN ('r', 'p') THEN NULL WHEN relkind = 'v' THEN 'a view' \
        WHEN relkind = 'm' THEN 'a materialized view' WHEN relkind = 'f' THEN 'a foreign table' \
        ELSE 'no table' END, \
      NULL::text \
    FROM pg_class WHERE oid = to_regclass($1)";

/// The schema where a name is found, and the one where a table of that name would be created.
pub(super) const POSTGRES_PLACE: &str = "\
    SELECT n.nspname::text, current_schema()::text \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid = to_regclass($1) AND n.nspname IS DISTINCT FROM current_schema()";

/// The columns, with domains followed to their base types.
pub(super) const POSTGRES_COLUMNS: &str = "\
    SELECT a.attname::text, t.typname::text, \
      CASE WHEN t.typname IN ('varchar', 'bpchar') AND b.typmod > 4 \
        THEN (b.typmod - 4)::bigint END, \
      a.attnotnull OR b.required_by IS NOT NULL, \
      a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '' OR b.has_default, \
      a.attgenerated <> '' OR a.attidentity = 'a', \
      EXISTS (SELECT FROM pg_index x \
        WHERE x.indrelid = a.attrelid AND x.indisprimary AND a.attnum = ANY (x.indkey)), \
      CASE WHEN a.attcollation <> t.typcollation \
        THEN quote_ident(n.nspname) || '.' || quote_ident(c.collname) END, \
      NULL::text, COALESCE(c.collisdeterministic, true), b.required_by \
    FROM pg_attribute a \
      CROSS JOIN LATERAL ( \
        WITH RECURSIVE step AS ( \
          SELECT 0 AS depth, a.atttypid AS id, a.atttypmod AS typmod, \
            false AS has_default, NULL::text AS required_by \
          UNION ALL \
          SELECT s.depth + 1, d.typbasetype, \
            CASE WHEN s.typmod = -1 THEN d.typtypmod ELSE s.typmod END, \
            s.has_default OR d.typdefault IS NOT NULL, \
            CASE WHEN d.typnotnull THEN d.oid::regtype::text ELSE s.required_by END \
          FROM step s JOIN pg_type d ON d.oid = s.id AND d.typtype = 'd') \
        SELECT * FROM step ORDER BY depth DESC LIMIT 1) b \
      JOIN pg_type t ON t.oid = b.id \
      LEFT JOIN pg_collation c ON c.oid = a.attcollation \
      LEFT JOIN pg_namespace n ON n.oid = c.collnamespace \
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped \
    ORDER BY a.attnum";

pub(super) const POSTGRES_INDICES: &str = "\
    SELECT i.relname::text, \
      CASE WHEN k.attnum = 0 THEN pg_get_indexdef(i.oid) ELSE a.attname::text END, \
      COALESCE(c.collisdeterministic, true), x.indisunique, x.indisexclusion, \
      NOT x.indimmediate, NOT x.indisvalid, x.indpred IS NOT NULL \
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
      CROSS JOIN LATERAL unnest(x.indkey[0:x.indnkeyatts - 1], \
        x.indcollation[0:x.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, collation_id, place) \
      LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum \
      LEFT JOIN pg_collation c ON c.oid = k.collation_id \
    WHERE x.indrelid = to_regclass($1) AND (x.indisunique OR x.indisexclusion) \
    ORDER BY i.relname, k.place";

pub(super) const MYSQL_FORM: &str = "\
    SELECT CAST(CASE WHEN table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') THEN NULL \
        WHEN table_type LIKE '%VIEW' THEN 'a view' ELSE 'no table' END AS CHAR), \
      CAST(engine AS CHAR) \
    FROM information_schema.tables \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

/// The columns. MySQL marks a computed default as `DEFAULT_GENERATED`, which is not a generated
/// column.
pub(super) const MYSQL_COLUMNS: &str = "\
    SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR), \
      CAST(character_maximum_length AS SIGNED), is_nullable = 'NO', \
      column_default IS NOT NULL OR extra LIKE '%auto_increment%' OR extra LIKE '%GENERATED%', \
      extra LIKE '%VIRTUAL%' OR extra LIKE '%STORED%' OR extra LIKE '%PERSISTENT%', \
      column_key = 'PRI', CAST(collation_name AS CHAR), CAST(character_set_name AS CHAR), \
      1 = 1, CAST(NULL AS CHAR) \
    FROM information_schema.columns \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ordinal_position";

/// The indices. On MySQL 8 an index of an expression has no column name.
pub(super) const MYSQL_INDICES: &str = "\
    SELECT CAST(index_name AS CHAR), \
      CAST(CASE WHEN sub_part IS NULL THEN COALESCE(column_name, '(expression)') \
        ELSE CONCAT(column_name, '(', sub_part, ')') END AS CHAR), \
      1 = 1, non_unique = 0, 1 = 0, 1 = 0, 1 = 0, 1 = 0 \
    FROM information_schema.statistics \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? \
    ORDER BY index_name, seq_in_index";

/// Returns the query for a table's form. `master` is the schema's own `sqlite_master`, quoted.
pub(super) fn sqlite_form(master: &str) -> String {
    format!(
        "SELECT CASE WHEN type = 'view' THEN 'a view' END, NULL FROM {master} \
         WHERE ?1 IS ?1 AND name = ?2 COLLATE NOCASE AND type IN ('table', 'view')"
    )
}

pub(super) const SQLITE_COLUMNS: &str = "\
    SELECT name, type, NULL, \"notnull\" OR pk > 0, \
      dflt_value IS NOT NULL OR hidden > 0 OR (pk = 1 AND upper(type) = 'INTEGER'), \
      hidden > 0, pk > 0, NULL, NULL, 1, NULL \
    FROM (SELECT COALESCE(?, 'main') AS place, ? AS wanted) \
      JOIN pragma_table_xinfo(wanted, place)";

pub(super) const SQLITE_INDICES: &str = "\
    SELECT l.name, \
      COALESCE(x.name, '(expression)'), upper(x.coll) = 'BINARY', 1, 0, 0, 0, l.partial \
    FROM (SELECT COALESCE(?, 'main') AS place, ? AS wanted) \
      JOIN pragma_index_list(wanted, place) AS l \
      JOIN pragma_index_xinfo(l.name, place) AS x \
    WHERE l.\"unique\" AND x.key";

/// The foreign keys to a table that neither remove nor empty what refers to a removed row. A partition's key
/// is told with its table's.
pub(super) const POSTGRES_HOLDING_KEYS: &str = "\
    SELECT c.conname::text, r.relname::text \
    FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid \
    WHERE c.contype = 'f' AND c.confrelid = to_regclass($1) AND c.confdeltype IN ('a', 'r') \
      AND c.conparentid = 0 \
    ORDER BY r.relname, c.conname";

pub(super) const MYSQL_HOLDING_KEYS: &str = "\
    SELECT CAST(constraint_name AS CHAR), CAST(table_name AS CHAR) \
    FROM information_schema.referential_constraints \
    WHERE unique_constraint_schema = COALESCE(?, DATABASE()) AND referenced_table_name = ? \
      AND delete_rule IN ('RESTRICT', 'NO ACTION') \
    ORDER BY table_name, constraint_name";

/// Returns the query for SQLite's foreign keys to a table. `master` is the schema's own `sqlite_master`,
/// quoted.
pub(super) fn sqlite_holding_keys(master: &str) -> String {
    format!(
        "SELECT DISTINCT NULL, m.name \
         FROM (SELECT COALESCE(?, 'main') AS place, ? AS wanted) \
           JOIN {master} AS m ON m.type = 'table' \
           JOIN pragma_foreign_key_list(m.name, place) AS k \
         WHERE k.\"table\" = wanted COLLATE NOCASE AND k.on_delete IN ('NO ACTION', 'RESTRICT') \
         ORDER BY m.name"
    )
}
