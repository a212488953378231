-- In which start of the system an executor worked: what it had running did not survive the next.
ALTER TABLE owners ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';
