-- wrk: one chat request, and how many answers were not 200
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"model": "m1", "messages": [{"role": "user", "content": "hello"}]}'
