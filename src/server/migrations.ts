// The database's form, step by step: `user_version` counts the steps taken. A step that was released is never changed; a new one follows it.

const library = `
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE folders (
  key INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,        -- without links
  watched INTEGER NOT NULL,
  builtIn INTEGER NOT NULL,
  device TEXT                       -- st_dev at the last scan: an empty mount point has another
);

CREATE TABLE pictures (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,          -- stays with the picture wherever it moves
  place TEXT NOT NULL,              -- here, rejected, absent, deleted
  since INTEGER,                    -- when it became absent, in ms
  folderKey INTEGER NOT NULL,       -- of folders; one in the trash may outlive its folder
  folder TEXT NOT NULL,             -- where the file lies
  name TEXT NOT NULL,
  nameOrder TEXT NOT NULL,          -- small letters, numbers padded: 2 before 10
  bytes INTEGER NOT NULL,
  modified REAL NOT NULL,           -- mtime in ms, with fractions
  hash TEXT NOT NULL,               -- SHA-256 of the file
  pixels TEXT NOT NULL,             -- of what makes the picture; the hash where parts are not told apart
  format TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  host TEXT,
  model TEXT,
  prompt TEXT,
  promptOrder TEXT,                 -- its beginning, in small letters
  seed TEXT,
  seedOrder TEXT,                   -- 20 digits
  fileScores TEXT NOT NULL,         -- JSON: what the file itself says
  written INTEGER NOT NULL,         -- whether that is what is known
  UNIQUE (folder, name)
);
CREATE INDEX picturesByFolder ON pictures (folderKey, folder);
CREATE INDEX picturesByPlace ON pictures (place, folder);
CREATE INDEX picturesByHash ON pictures (hash);
CREATE INDEX picturesByDate ON pictures (place, modified, key);
CREATE INDEX picturesByName ON pictures (place, nameOrder, key);
CREATE INDEX picturesBySize ON pictures (place, bytes, key);
CREATE INDEX picturesBySeed ON pictures (place, seedOrder, key);
CREATE INDEX picturesByPrompt ON pictures (place, promptOrder, key);
CREATE INDEX picturesByHost ON pictures (place, host, key);
CREATE INDEX picturesByModel ON pictures (place, model, key);

-- What a picture's page shows, and lists do not.
CREATE TABLE infos (picture INTEGER PRIMARY KEY REFERENCES pictures (key) ON DELETE CASCADE, info TEXT NOT NULL);

-- Every score ever given, by reward and version.
CREATE TABLE scores (
  picture INTEGER NOT NULL REFERENCES pictures (key) ON DELETE CASCADE,
  reward TEXT NOT NULL COLLATE NOCASE,
  version TEXT NOT NULL,            -- of the weights; "file" for what a file said
  score REAL NOT NULL,
  approximate INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (picture, reward, version)
) WITHOUT ROWID;

-- The newest of each reward: what lists filter and sort by.
CREATE TABLE ratings (
  picture INTEGER NOT NULL REFERENCES pictures (key) ON DELETE CASCADE,
  reward TEXT NOT NULL COLLATE NOCASE,
  place TEXT NOT NULL,              -- the picture's, so that counts need no look at it
  score REAL NOT NULL,
  PRIMARY KEY (picture, reward)
) WITHOUT ROWID;
CREATE INDEX ratingsByScore ON ratings (reward, place, score, picture);

-- Only the index: the words are those of pictures and infos.
CREATE VIRTUAL TABLE words USING fts5 (
  prompt, name, settings, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
);

CREATE TABLE operations (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  action TEXT NOT NULL,             -- write, move, reject, restore, delete
  at INTEGER NOT NULL,
  state TEXT NOT NULL               -- planning, running, done, undoing, undone
);

-- The journal: each step is here before its file is touched, and marked after.
CREATE TABLE steps (
  operation INTEGER NOT NULL REFERENCES operations (key) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  picture INTEGER NOT NULL,
  source TEXT NOT NULL,             -- the file before
  target TEXT,                      -- the file after, or the backup of one that was written
  companions TEXT NOT NULL,         -- JSON: [[before, after]] of captions and sidecars
  undo TEXT,                        -- JSON: how to give a written file its bytes back
  state TEXT NOT NULL,              -- planned, done, failed, undoing, undone
  PRIMARY KEY (operation, number)
) WITHOUT ROWID;
`;

const jobs = `
CREATE TABLE jobs (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,               -- refine, generate, score, scan, pull
  state TEXT NOT NULL,              -- queued, running, done, failed, cancelled
  created INTEGER NOT NULL,         -- these in ms
  started INTEGER,
  ended INTEGER,
  attempts INTEGER NOT NULL,        -- begun so often without a step or another sign of success
  title TEXT NOT NULL,
  client TEXT NOT NULL,
  priority INTEGER NOT NULL,
  source TEXT,                      -- the library's picture that it begins with
  picture TEXT,                     -- that picture's file, or the one that was sent
  request TEXT NOT NULL,            -- JSON, as are these
  notes TEXT NOT NULL,
  progress TEXT,
  result TEXT,
  error TEXT,
  kept TEXT NOT NULL                -- what was kept, and where
);
CREATE INDEX jobsByState ON jobs (state, kind);

CREATE TABLE jobSteps (
  job INTEGER NOT NULL REFERENCES jobs (key) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  content TEXT NOT NULL,            -- JSON
  PRIMARY KEY (job, step)
) WITHOUT ROWID;

-- Pictures whose scoring was cancelled: only who asks for it begins it again.
CREATE TABLE declined (picture TEXT PRIMARY KEY) WITHOUT ROWID;
`;

/** A cancel outlives the server that was asked for it. */
const unwantedJobs = "ALTER TABLE jobs ADD COLUMN unwanted INTEGER NOT NULL DEFAULT 0";

export const migrations: readonly string[] = [library, jobs, unwantedJobs];
