# frozen_string_literal: true

# Which Ruby answers: the benchmark of Puma checks that the server is the variant it should be.
class AboutController < ActionController::API
  def show
    render json: { ruby: RUBY_DESCRIPTION, rails: Rails.version, process: Process.pid }
  end
end
