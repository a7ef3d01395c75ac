wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"model": "m1", "messages": [{"role": "user", "content": "hello"}]}'

-- read back by the bench: answers that were an error, requests that got none, requests a second, median in microseconds
function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  local rate = summary.requests / summary.duration * 1e6
  io.write(string.format("bench %d %d %f %f\n", errors.status, lost, rate, latency:percentile(50)))
end
