wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"model": "m1", "messages": [{"role": "user", "content": "hello"}]}'

-- read back by the bench: answers that were not 200, requests a second, median in microseconds
function done(summary, latency)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("bench %d %f %f\n", bad, summary.requests / summary.duration * 1e6, latency:percentile(50)))
end
