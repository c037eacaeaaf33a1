data "aws_caller_identity" "current" {}
data "aws_subnets" "default" {}

resource "aws_cloudwatch_log_group" "events" {
  name = "/tf/events"
}

resource "aws_cloudwatch_event_bus" "shop" {
  name = "shop"
}

resource "aws_cloudwatch_event_rule" "stopped" {
  name        = "stopped"
  description = "tasks that end"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail      = { lastStatus = ["STOPPED"], stoppedReason = [{ "anything-but" : { "prefix" : "Scaling" } }] }
  })
  tags = { team = "a" }
}

resource "aws_cloudwatch_event_target" "log" {
  rule      = aws_cloudwatch_event_rule.stopped.name
  target_id = "log"
  arn       = aws_cloudwatch_log_group.events.arn
  retry_policy {
    maximum_event_age_in_seconds = 600
    maximum_retry_attempts       = 3
  }
}

resource "aws_cloudwatch_event_connection" "hook" {
  name               = "hook"
  authorization_type = "API_KEY"
  auth_parameters {
    api_key {
      key   = "x-key"
      value = "secret"
    }
  }
}

resource "aws_cloudwatch_event_api_destination" "hook" {
  name                             = "hook"
  invocation_endpoint              = "https://127.0.0.1:9/hook"
  http_method                      = "POST"
  invocation_rate_limit_per_second = 10
  connection_arn                   = aws_cloudwatch_event_connection.hook.arn
}

resource "aws_cloudwatch_event_target" "hook" {
  rule      = aws_cloudwatch_event_rule.stopped.name
  target_id = "hook"
  arn       = aws_cloudwatch_event_api_destination.hook.arn
  input_transformer {
    input_paths    = { task = "$.detail.taskArn" }
    input_template = jsonencode({ text = "<task> ended" })
  }
}

resource "aws_iam_role" "scheduler" {
  name = "scheduler"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = ["scheduler.amazonaws.com", "events.amazonaws.com"] } }]
  })
}

resource "aws_ecs_task_definition" "job" {
  family                   = "tf-job"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "job", image = "busybox", essential = true }])
}

resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "nightly"
  schedule_expression = "cron(0 3 * * ? *)"
  event_bus_name      = "default"
}

resource "aws_cloudwatch_event_target" "job" {
  rule      = aws_cloudwatch_event_rule.nightly.name
  target_id = "job"
  arn       = "arn:aws:ecs:us-east-1:${data.aws_caller_identity.current.account_id}:cluster/default"
  role_arn  = aws_iam_role.scheduler.arn
  input     = jsonencode({ containerOverrides = [{ name = "job", command = ["true"] }] })
  ecs_target {
    task_definition_arn = aws_ecs_task_definition.job.arn
    launch_type         = "FARGATE"
    network_configuration {
      subnets = data.aws_subnets.default.ids
    }
  }
}

resource "aws_scheduler_schedule_group" "mine" {
  name = "mine"
  tags = { team = "a" }
}

resource "aws_scheduler_schedule" "job" {
  name                         = "job"
  group_name                   = aws_scheduler_schedule_group.mine.name
  schedule_expression          = "rate(6 hours)"
  schedule_expression_timezone = "Europe/Berlin"
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 30
  }
  target {
    arn      = "arn:aws:ecs:us-east-1:${data.aws_caller_identity.current.account_id}:cluster/default"
    role_arn = aws_iam_role.scheduler.arn
    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.job.arn
      launch_type         = "FARGATE"
      network_configuration {
        subnets = data.aws_subnets.default.ids
      }
    }
  }
}
