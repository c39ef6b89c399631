-- What is known of applications, from rules/*.yaml. A list keeps its order in `position`.
-- Text that the program itself reads back (a command, a step) is JSON in the rule language's form.

CREATE TABLE rule (
    id           INTEGER PRIMARY KEY,
    app          TEXT NOT NULL,
    distribution TEXT NOT NULL,
    title        TEXT NOT NULL,
    scope        TEXT NOT NULL CHECK (scope IN ('system', 'application')),
    components   INTEGER NOT NULL CHECK (components BETWEEN 1 AND 8),
    UNIQUE (app, distribution)
) STRICT;

-- The files a rule was made of, in the order they were read.
CREATE TABLE source (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    file     TEXT NOT NULL,
    embedded INTEGER NOT NULL CHECK (embedded IN (0, 1)),
    PRIMARY KEY (rule, position)
) STRICT;

CREATE TABLE package_mark (
    rule       INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    name       TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (rule, position)
) STRICT;

CREATE TABLE path_mark (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path     TEXT NOT NULL,
    version  TEXT,
    PRIMARY KEY (rule, position)
) STRICT;

CREATE TABLE layout (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    glob     TEXT NOT NULL,
    worth    TEXT NOT NULL,
    template TEXT,
    sha256   TEXT NOT NULL CHECK (json_valid(sha256)),
    link     TEXT,
    directory INTEGER NOT NULL,
    packaged INTEGER NOT NULL,
    unpacked TEXT,
    why      TEXT NOT NULL,
    PRIMARY KEY (rule, position)
) STRICT;

CREATE TABLE secret (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    glob     TEXT NOT NULL,
    lines    TEXT NOT NULL CHECK (json_valid(lines)),
    why      TEXT NOT NULL,
    PRIMARY KEY (rule, position)
) STRICT;

CREATE TABLE created (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    path     TEXT NOT NULL,
    why      TEXT NOT NULL,
    PRIMARY KEY (rule, position)
) STRICT;

-- `new` is a JSON list: one name, several after a split, none when it is gone.
CREATE TABLE renaming (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    kind     TEXT NOT NULL CHECK (kind IN ('package', 'account', 'service')),
    position INTEGER NOT NULL,
    old      TEXT NOT NULL,
    new      TEXT NOT NULL CHECK (json_valid(new)),
    since    TEXT,
    why      TEXT NOT NULL,
    PRIMARY KEY (rule, kind, position)
) STRICT;

CREATE TABLE datastore (
    rule      INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    find      TEXT NOT NULL,
    directory TEXT NOT NULL,
    export    TEXT NOT NULL CHECK (json_valid(export)),
    import    TEXT NOT NULL CHECK (json_valid(import)),
    PRIMARY KEY (rule, position)
) STRICT;

CREATE TABLE transition (
    rule      INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    old_range TEXT NOT NULL,
    new_range TEXT NOT NULL,
    steps     TEXT NOT NULL CHECK (json_valid(steps)),
    PRIMARY KEY (rule, position)
) STRICT;

CREATE TABLE rebuild (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    body     TEXT NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (rule, position)
) STRICT;

CREATE TABLE validator (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    body     TEXT NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (rule, position)
) STRICT;
