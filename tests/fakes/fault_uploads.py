"""Upload sessions of the scripted registry: whole, in pieces, mounted."""
import re
import secrets

from fault_answers import Answer, digest_of, error


class Uploads:
    """A part of the request handler: it has server.state, command, headers and read_body()."""

    def upload(self, name, session, query):
        state = self.server.state
        if self.command == "POST":
            with state.lock:
                source = (query.get("from"), query.get("mount"))
                if "mount" in query and source in state.blobs:
                    state.blobs[name, query["mount"]] = state.blobs[source]
                    return Answer(201, b"", {"Location": f"/v2/{name}/blobs/{query['mount']}"})
                session = secrets.token_hex(8)
                state.uploads[session] = b""
            headers = {"Location": self.session_at(name, session), "Range": "0-0"}
            if state.settings["min_chunk"]:
                headers["OCI-Chunk-Min-Length"] = str(state.settings["min_chunk"])
            return Answer(202, b"", headers)
        with state.lock:
            held = state.uploads.get(session)
        if held is None:
            return error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        if query.get("state") != "a/b":
            return error(400, "BLOB_UPLOAD_INVALID", "the query of Location was changed")
        if self.command == "DELETE":
            with state.lock:
                state.uploads.pop(session, None)
            return Answer(204)
        if self.command == "GET":
            return Answer(204, b"", {"Location": self.session_at(name, session), "Range": f"0-{max(len(held), 1) - 1}"})
        if self.command == "PATCH":
            return self.patch(name, session, held)
        data = held + self.read_body()
        if digest_of(data) != query.get("digest"):
            return error(400, "DIGEST_INVALID", "the content has another digest")
        with state.lock:
            state.blobs[name, query["digest"]] = data
            state.uploads.pop(session, None)
        return Answer(201, b"", {"Docker-Content-Digest": query["digest"],
                                 "Location": f"/v2/{name}/blobs/{query['digest']}"})


    def session_at(self, name, session):
        return f"/v2/{name}/blobs/uploads/{session}?state=a%2Fb"

    def patch(self, name, session, held):
        """One piece; it has to begin where the last one ended."""
        state = self.server.state
        place = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
        data = self.read_body()
        if place and (int(place[1]) != len(held) and not state.settings["stuck_chunks"]
                      or int(place[2]) - int(place[1]) + 1 != len(data)):
            return error(416, "BLOB_UPLOAD_INVALID", f"the session has {len(held)} bytes")
        stuck = state.settings["stuck_chunks"] and held
        with state.lock:
            state.uploads[session] = held if stuck else held + data
        headers = {"Location": self.session_at(name, session), "Range": f"0-{len(state.uploads[session]) - 1}"}
        return Answer(201 if state.settings["stuck_chunks"] else 202, b"", headers)
