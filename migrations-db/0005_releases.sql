-- What is learned of a distribution's releases, apart from rules: empty until something is. What a
-- rule says of a package comes before what is learned.

-- Asked: which releases lie between two, in which order? `version` is that of os-release.
CREATE TABLE release (
    id           INTEGER PRIMARY KEY,
    distribution TEXT NOT NULL,
    version      TEXT NOT NULL,
    position     INTEGER NOT NULL,
    UNIQUE (distribution, version),
    UNIQUE (distribution, position)
) STRICT;

-- Asked: what became of these names between two releases? `successors` is a list of names: one
-- after a renaming, several after a split, none after a removal.
CREATE TABLE package_event (
    package      TEXT NOT NULL,
    release_from INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
    release_to   INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('renamed', 'split', 'merged', 'removed')),
    successors   TEXT NOT NULL CHECK (json_valid(successors)),
    PRIMARY KEY (package, release_from, release_to)
) STRICT, WITHOUT ROWID;

-- Asked: which packages of this release bring this path?
CREATE TABLE file_layout (
    release INTEGER NOT NULL REFERENCES release (id) ON DELETE CASCADE,
    path    TEXT NOT NULL,
    package TEXT NOT NULL,
    PRIMARY KEY (release, path, package)
) STRICT, WITHOUT ROWID;
