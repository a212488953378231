-- The status of a stage is compared with one known status after the other: for a list of so many
-- SQLite builds a table, anew for each row that is written, which took longer than all the rest.
-- What is stored stays as it is, and SQLite lets such a constraint be replaced in the schema alone
-- (sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
PRAGMA writable_schema = ON;

UPDATE sqlite_master SET sql = replace(sql,
'(status IN
        (''pending'', ''waiting_approval'', ''running'', ''retrying'', ''succeeded'', ''failed'', ''rejected'',
         ''skipped'', ''cancelled'', ''interrupted'', ''rolled_back''))',
'(CASE status WHEN ''pending'' THEN 1 WHEN ''running'' THEN 1 WHEN ''succeeded'' THEN 1
        WHEN ''waiting_approval'' THEN 1 WHEN ''retrying'' THEN 1 WHEN ''failed'' THEN 1
        WHEN ''rejected'' THEN 1 WHEN ''skipped'' THEN 1 WHEN ''cancelled'' THEN 1
        WHEN ''interrupted'' THEN 1 WHEN ''rolled_back'' THEN 1 ELSE 0 END)')
WHERE type = 'table' AND name = 'stages';

PRAGMA writable_schema = RESET;
