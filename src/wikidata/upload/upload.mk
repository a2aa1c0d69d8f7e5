# What a push runs for each repo: the upload CLI under the watcher, told by its environment what to upload. There is one
# target for each command line; generations/ says which version has which. The package brings this file with it, and
# the Makefile includes it. -P keeps modules of the folder that it runs in from standing in for ours.
WATCH = "$$WIKIDATA" -P -m wikidata watch --lifeline --log "$${LOG:?is set by wikidata push}" --folder "$$FOLDER" \
	--stall-minutes "$$STALL_MINUTES" --timeout-hours "$$UPLOAD_TIMEOUT" --

.PHONY: upload-large-folder upload-folder upload-by-library preupload

upload-large-folder:
	$(WATCH) "$$UPLOADER" upload-large-folder "$$REPO" "$$FOLDER" --repo-type dataset --num-workers "$${WORKERS:-1}" --no-report --no-bars

upload-folder:
	$(WATCH) "$$UPLOADER" upload "$$REPO" "$$FOLDER" . --repo-type dataset --commit-message "$$MESSAGE"

upload-by-library:
	$(WATCH) "$$WIKIDATA" -P -m wikidata.upload.library "$$REPO" "$$FOLDER" "$${WORKERS:-1}" "$$MESSAGE"

preupload:
	$(WATCH) "$$WIKIDATA" -P -m wikidata.upload.preupload "$$REPO" "$$FOLDER"
