-- A rule is one value: its body, JSON in the form of the rule language. Tables stand beside it only
-- for what is asked in SQL. A word that a release takes out of the language leaves the bodies with
-- a migration of that release.

ALTER TABLE rule RENAME TO rule_1;
ALTER TABLE source RENAME TO source_1;

-- Asked: all rules in their order; the rule of an application on a distribution; which files it
-- was made of (`sources`, a list of {file, embedded}, in the order they were read).
CREATE TABLE rule (
    id           INTEGER PRIMARY KEY,
    app          TEXT NOT NULL GENERATED ALWAYS AS (body ->> 'app') STORED,
    distribution TEXT NOT NULL GENERATED ALWAYS AS (body ->> 'distribution') STORED,
    scope        TEXT NOT NULL GENERATED ALWAYS AS (body ->> 'scope') STORED,
    sources      TEXT NOT NULL CHECK (json_valid(sources)),
    body         TEXT NOT NULL CHECK (json_valid(body)),
    UNIQUE (app, distribution)
) STRICT;

-- Asked: which rules can a system with these packages and these paths match? A package's `text` is
-- a GLOB that matches at least what the rule's pattern does, a path's is the path itself.
CREATE TABLE mark (
    kind TEXT NOT NULL CHECK (kind IN ('package', 'path')),
    text TEXT NOT NULL,
    rule INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, text, rule)
) STRICT, WITHOUT ROWID;

-- Marks are made of the body, so that the two cannot differ. The only variable in a package's
-- pattern is `{version}`; classes and single characters are left to the pattern itself.
CREATE TRIGGER rule_marks AFTER INSERT ON rule BEGIN
    INSERT OR IGNORE INTO mark (kind, text, rule)
    SELECT 'package',
           iif(instr(name, '[') OR instr(name, '?'), '*', replace(name, '{version}', '*')),
           new.id
    FROM (SELECT value ->> 'name' AS name FROM json_each(new.body, '$.recognise.packages'));

    INSERT OR IGNORE INTO mark (kind, text, rule)
    SELECT 'path', value ->> 'path', new.id FROM json_each(new.body, '$.recognise.paths');
END;

-- The rules of schema 1, table by table. A patch onto an empty object leaves out what is null.
INSERT INTO rule (id, sources, body)
SELECT
    id,
    (SELECT json_group_array(
        json_object('file', file, 'embedded', json(iif(embedded, 'true', 'false')))
        ORDER BY position) FROM source_1 WHERE rule = rule_1.id),
    json_object(
        'app', app,
        'distribution', distribution,
        'title', title,
        'scope', scope,
        'version', json_object('components', components),
        'recognise', json_object(
            'packages', (SELECT json_group_array(
                json_object('name', name, 'generation', generation)
                ORDER BY position) FROM package_mark WHERE rule = rule_1.id),
            'paths', (SELECT json_group_array(
                json_patch('{}', json_object('path', path, 'version', version))
                ORDER BY position) FROM path_mark WHERE rule = rule_1.id)),
        'layout', (SELECT json_group_array(
            json_patch('{}', json_object(
                'glob', glob, 'worth', worth, 'template', template, 'sha256', json(sha256),
                'link', link, 'directory', json(iif(directory, 'true', 'false')),
                'packaged', json(iif(packaged, 'true', 'false')), 'unpacked', unpacked,
                'why', why))
            ORDER BY position) FROM layout WHERE rule = rule_1.id),
        'secrets', (SELECT json_group_array(
            json_object('glob', glob, 'lines', json(lines), 'why', why)
            ORDER BY position) FROM secret WHERE rule = rule_1.id),
        'created', (SELECT json_group_array(
            json_object('path', path, 'why', why)
            ORDER BY position) FROM created WHERE rule = rule_1.id),
        'packages', (SELECT json_group_array(
            json_patch('{}', json_object(
                'from', old, 'to', json(new), 'since', since, 'why', why))
            ORDER BY position) FROM renaming WHERE rule = rule_1.id AND kind = 'package'),
        'accounts', (SELECT json_group_array(
            json_patch('{}', json_object('from', old, 'to', new ->> 0, 'since', since))
            ORDER BY position) FROM renaming WHERE rule = rule_1.id AND kind = 'account'),
        'services', (SELECT json_group_array(
            json_patch('{}', json_object('from', old, 'to', new ->> 0, 'since', since))
            ORDER BY position) FROM renaming WHERE rule = rule_1.id AND kind = 'service'),
        'databases', (SELECT json_group_array(
            json_object('find', find, 'directory', directory,
                        'export', json(export), 'import', json(import))
            ORDER BY position) FROM datastore WHERE rule = rule_1.id),
        'transitions', (SELECT json_group_array(
            json_object('from', old_range, 'to', new_range, 'steps', json(steps))
            ORDER BY position) FROM transition WHERE rule = rule_1.id),
        'rebuild', (SELECT json_group_array(json(body) ORDER BY position)
                    FROM rebuild WHERE rule = rule_1.id),
        'validate', (SELECT json_group_array(json(body) ORDER BY position)
                     FROM validator WHERE rule = rule_1.id))
FROM rule_1;

DROP TABLE source_1;
DROP TABLE package_mark;
DROP TABLE path_mark;
DROP TABLE layout;
DROP TABLE secret;
DROP TABLE created;
DROP TABLE renaming;
DROP TABLE datastore;
DROP TABLE transition;
DROP TABLE rebuild;
DROP TABLE validator;
DROP TABLE rule_1;
