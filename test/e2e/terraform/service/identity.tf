# Who the service's tasks are, who may deploy it, and what watches it.
data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "ecsTaskExecutionRole"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

# awslogs-create-group needs it.
resource "aws_iam_role_policy" "groups" {
  name = "groups"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "logs:CreateLogGroup", Resource = "*" }]
  })
}

resource "aws_iam_role" "shop" {
  name                 = "shop"
  path                 = "/apps/"
  description          = "What the shop's tasks may do"
  max_session_duration = 7200
  permissions_boundary = aws_iam_policy.shop.arn
  assume_role_policy   = data.aws_iam_policy_document.tasks.json
  tags                 = { team = "shop" }
}

data "aws_iam_policy_document" "shop" {
  statement {
    sid       = title(var.answer)
    actions   = ["ecs:DescribeServices", "ecs:ListTasks"]
    resources = ["*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.shop.arn]
    }
  }
}

resource "aws_iam_policy" "shop" {
  name        = "shop"
  path        = "/apps/"
  description = "Looks at the shop"
  policy      = data.aws_iam_policy_document.shop.json
  tags        = { team = "shop" }
}

resource "aws_iam_role_policy_attachment" "shop" {
  role       = aws_iam_role.shop.name
  policy_arn = aws_iam_policy.shop.arn
}

resource "aws_iam_user" "deployer" {
  name = "deployer"
  path = "/people/"
  tags = { team = "shop" }
}

resource "aws_iam_user_policy_attachment" "deployer" {
  user       = aws_iam_user.deployer.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonECS_FullAccess"
}

resource "aws_iam_access_key" "deployer" {
  user = aws_iam_user.deployer.name
}

resource "aws_iam_instance_profile" "shop" {
  name = "shop"
  role = aws_iam_role.shop.name
}

resource "aws_cloudwatch_metric_alarm" "busy" {
  alarm_name          = "shop-busy"
  alarm_description   = "The shop has much to do"
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  dimensions          = { ClusterName = aws_ecs_cluster.shop.name, ServiceName = "shop" }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 2
  threshold           = 80
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  tags                = { team = "shop" }
}

resource "aws_cloudwatch_composite_alarm" "busy" {
  alarm_name        = "shop-busy-too-long"
  alarm_description = "The shop has had much to do"
  alarm_rule        = "ALARM(\"${aws_cloudwatch_metric_alarm.busy.alarm_name}\") AND NOT AT_LEAST(1, INSUFFICIENT_DATA, (${aws_cloudwatch_metric_alarm.busy.arn}))"
  alarm_actions     = ["arn:aws:logs:us-east-1:123456789012:log-group:/alarms"]
  tags              = { team = "shop" }
}
