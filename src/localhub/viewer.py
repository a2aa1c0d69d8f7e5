"""What readers ask for besides repos: the dataset viewer, and the register of coding agents.

The viewer is a server of its own, `datasets-server.` before the Hub's name, that works on a commit some time after it
was made. This one never comes to it, and `datasets` goes on without (its `utils/_dataset_viewer.py`).
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


async def not_yet(request: Request) -> Response:
    """GET /info and /parquet of the viewer (huggingface.co/docs/dataset-viewer)."""
    pending = [{"kind": "dataset-info", "dataset": request.query_params.get("dataset", "")}]
    return JSONResponse({"dataset_info": {}, "parquet_files": [], "pending": pending, "failed": [], "partial": False})


async def agents() -> Response:
    """GET /api/agent-harnesses: which environment variables tell of which agent (huggingface_hub 2.x); of none."""
    return JSONResponse({"standardEnvVars": [], "harnesses": {}})
