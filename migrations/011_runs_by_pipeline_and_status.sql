-- Without it the failed runs of a pipeline are looked for among all of its runs.
CREATE INDEX runs_by_pipeline_and_status ON runs (pipeline, status, id);
