//! The providers, as far as a question without login and one turn of each client need them.

use serde_json::{Value, json};

use super::server::{Request, response};

const MARKS: &str = "server: cloudflare\r\ncf-ray: 8f00-FRA\r\n";

pub fn answer(request: &Request) -> Vec<u8> {
    let path = request.target.split('?').next().unwrap_or_default();
    let is_post = request.method == "POST";
    match path {
        _ if path.ends_with("/responses") && request.headers.contains_key("upgrade") => {
            reply("426 Upgrade Required", &json!({}))
        }
        _ if path.ends_with("/responses") && is_post => stream(&turn_of_openai()),
        "/v1/messages" if is_post => {
            if request.body.windows(13).any(|part| part == b"\"stream\":true") {
                stream(&turn_of_anthropic())
            } else {
                let text = json!([{"type": "text", "text": "MOCK-OK"}]);
                let mut whole = message();
                whole["content"] = text;
                reply("200 OK", &whole)
            }
        }
        "/backend-api/codex/responses" | "/v1/messages" | "/oauth/token" | "/v1/responses" => {
            let error = json!({"error": {"message": "Method Not Allowed"}});
            reply("405 Method Not Allowed", &error)
        }
        "/v1/models" if !request.headers.contains_key("authorization") => {
            let error = json!({"error": {"message": "Missing bearer authentication in header"}});
            reply("401 Unauthorized", &error)
        }
        "/api/hello" | "/v1/oauth/hello" => reply("200 OK", &json!({"message": "hello"})),
        "/backend-api/wham/accounts/check" => {
            let account = request.headers.get("chatgpt-account-id").cloned().unwrap_or_default();
            reply("200 OK", &accounts(&account))
        }
        _ => reply("404 Not Found", &json!({"error": {"type": "not_found_error"}})),
    }
}

fn reply(status: &str, body: &Value) -> Vec<u8> {
    response(status, &format!("content-type: application/json\r\n{MARKS}"), &body.to_string())
}

fn stream(events: &[Value]) -> Vec<u8> {
    let event =
        |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let events: String = events.iter().map(event).collect();
    response("200 OK", &format!("content-type: text/event-stream\r\n{MARKS}"), &events)
}

fn turn_of_openai() -> [Value; 3] {
    let usage = json!({
        "input_tokens": 1, "input_tokens_details": null, "output_tokens": 1,
        "output_tokens_details": null, "total_tokens": 2,
    });
    let text = json!([{"type": "output_text", "text": "MOCK-OK"}]);
    [
        json!({"type": "response.created", "response": {"id": "resp_1"}}),
        json!({"type": "response.output_item.done",
               "item": {"type": "message", "role": "assistant", "content": text}}),
        json!({"type": "response.completed", "response": {"id": "resp_1", "usage": usage}}),
    ]
}

fn message() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-mock", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1},
    })
}

fn turn_of_anthropic() -> [Value; 6] {
    [
        json!({"type": "message_start", "message": message()}),
        json!({"type": "content_block_start", "index": 0,
               "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0,
               "delta": {"type": "text_delta", "text": "MOCK-OK"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
               "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ]
}

/// What Codex asks before its first request: where the account's workspace is served.
fn accounts(account: &str) -> Value {
    json!({"accounts": [{
        "id": account, "account_id": account, "name": "Personal", "structure": "personal",
        "plan_type": "plus", "can_access_with_session": true, "sso_connection_name": null,
        "is_deactivated": false, "is_fedramp_compliant_workspace": false,
        "workspace_backend_origin": "https://chatgpt.com",
        "account_routing_override": "NO_CONSTRAINT", "profile_picture_url": null,
        "account_user_role": "account-owner",
    }], "default_account_id": account, "account_ordering": [account]})
}
