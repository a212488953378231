-- For whom a stage that is running waits before it starts its work: '' for nobody.
ALTER TABLE stages ADD COLUMN waits_for TEXT NOT NULL DEFAULT '';
